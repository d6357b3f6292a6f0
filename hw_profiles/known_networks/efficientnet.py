"""EfficientNets without squeeze-and-excite, 1,000 classes, as tensorflow/tpu builds them (models/official/efficientnet: lite, edgetpu).

EfficientNet-lite scales neither its first and last convolution nor the number of blocks in its first and last stage.
"""

from dataclasses import dataclass
from functools import partial
from math import ceil

from ..network import Network, Tensor
from .layers import Builders, Layers, multiple, shape_of


@dataclass(frozen=True)
class Stage:
    """Blocks of one shape: the first has `stride`, the others 1.

    fused: the expansion is a k x k convolution, no depthwise one follows, and the sides are halved in the last one. inputs: channels of which the expansion
    is a multiple, 0 for those that come in; a stage that says so adds nothing to what came in.
    """

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int
    fused: bool = False
    inputs: int = 0


_LITE = (Stage(1, 3, 1, 1, 16), Stage(2, 3, 2, 6, 24), Stage(2, 5, 2, 6, 40), Stage(3, 3, 2, 6, 80), Stage(3, 5, 1, 6, 112), Stage(4, 5, 2, 6, 192),
         Stage(1, 3, 1, 6, 320))
_EDGETPU = (Stage(1, 3, 1, 4, 24, fused=True, inputs=24), Stage(2, 3, 2, 8, 32, fused=True), Stage(4, 3, 2, 8, 48, fused=True), Stage(5, 5, 2, 8, 96),
            Stage(4, 5, 1, 8, 144), Stage(2, 5, 2, 8, 192))

LITE_SCALES = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8))  # widths and depths of EfficientNet-lite 0 to 4


def lite_body(n: Layers, width: float, depth: float) -> list[Tensor]:
    """Outputs of the stages of EfficientNet-lite."""
    repeats = [stage.repeats if place in (0, len(_LITE) - 1) else ceil(depth * stage.repeats) for place, stage in enumerate(_LITE)]
    return _stages(n, n.conv(n.x, 32, stride=2, activation="RELU6"), _LITE, repeats, width, "RELU6")


def _lite(name: str, side: int, width: float, depth: float) -> Network:
    n = Layers(name, side, side, 3)
    return _classes(n, n.conv(lite_body(n, width, depth)[-1], 1280, 1, activation="RELU6"))


def _edgetpu(name: str, side: int, width: float, depth: float) -> Network:
    n = Layers(name, side, side, 3)
    stem = n.conv(n.x, multiple(32 * width), stride=2)
    last = _stages(n, stem, _EDGETPU, [ceil(depth * stage.repeats) for stage in _EDGETPU], width, "RELU")[-1]
    return _classes(n, n.conv(last, multiple(1280 * width), 1))


def _stages(n: Layers, x: Tensor, stages: tuple[Stage, ...], repeats: list[int], width: float, activation: str) -> list[Tensor]:
    outputs = []
    for stage, count in zip(stages, repeats, strict=True):
        channels = multiple(stage.channels * width)
        for stride in (stage.stride, *(1,) * (count - 1)):
            y = _block(n, x, stage, stride, channels, multiple(stage.inputs * width) if stage.inputs else shape_of(x)[3], activation)
            x = n.add(x, y) if stride == 1 and x.shape == y.shape and not stage.inputs else y
        outputs.append(x)
    return outputs


def _block(n: Layers, x: Tensor, stage: Stage, stride: int, channels: int, inputs: int, activation: str) -> Tensor:
    expanded = inputs * stage.expansion
    if stage.fused:
        return n.conv(n.conv(x, expanded, stage.kernel, activation=activation), channels, 1, stride, "NONE")
    y = n.conv(x, expanded, 1, activation=activation) if stage.expansion > 1 else x
    return n.conv(n.depthwise(y, stage.kernel, stride, activation), channels, 1, activation="NONE")


def _classes(n: Layers, x: Tensor) -> Network:
    return n.network(n.softmax(n.dense(n.mean(x), 1000)))


_SCALED_LITE = {f"efficientnet-lite{number}": (side, *LITE_SCALES[number]) for number, side in enumerate((224, 240, 260, 280, 300))}
_SCALED_EDGETPU = {"efficientnet-edgetpu-s": (224, 1.0, 1.0), "efficientnet-edgetpu-m": (240, 1.0, 1.1), "efficientnet-edgetpu-l": (300, 1.2, 1.4)}

BUILDERS: Builders = {
    **{name: partial(_lite, name, *scales) for name, scales in _SCALED_LITE.items()},
    **{name: partial(_edgetpu, name, *scales) for name, scales in _SCALED_EDGETPU.items()},
}
