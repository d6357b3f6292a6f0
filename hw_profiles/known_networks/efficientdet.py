"""EfficientDet-lite (arXiv:1911.09070) as google/automl exports it to TFLite, up to the scores and boxes of all anchors.

What is left out: TFLite_Detection_PostProcess, a custom operator that decodes the boxes and drops those which overlap, and the dequantisation before it.
The heads are one for all levels but for their batch normalisation: where it is folded, each level has weights of its own, the rest the file holds once.
"""

from functools import partial

from ..network import Network, Tensor
from .efficientnet import LITE_SCALES, lite_body
from .layers import Builders, Layers, shape_of

_ANCHORS, _CLASSES = 9, 90

# google/automl, efficientdet/hparams_config.py: side of the image, number of the backbone, channels and cells of the BiFPN, repeats in the heads.
_CONFIGURATIONS = {
    "efficientdet-lite0": (320, 0, 64, 3, 3), "efficientdet-lite1": (384, 1, 88, 4, 3), "efficientdet-lite2": (448, 2, 112, 5, 3),
    "efficientdet-lite3": (512, 3, 160, 6, 4), "efficientdet-lite3x": (640, 3, 200, 6, 4), "efficientdet-lite4": (640, 4, 224, 7, 4),
}

# google/automl, efficientdet/keras/fpn_configs.py: level of each node of a BiFPN cell, and its inputs: 0 to 4 are P3 to P7, then the nodes in this order.
_NODES = ((6, (3, 4)), (5, (2, 5)), (4, (1, 6)), (3, (0, 7)), (4, (1, 7, 8)), (5, (2, 6, 9)), (6, (3, 5, 10)), (7, (4, 11)))


def _efficientdet(name: str, side: int, backbone: int, channels: int, cells: int, repeats: int) -> Network:
    n = Layers(name, side, side, 3)
    stages = lite_body(n, *LITE_SCALES[backbone])
    levels = [stages[2], stages[4], stages[6]]  # P3, P4, P5: the last ones before their sides are halved
    levels.append(n.max_pool(n.conv(levels[-1], channels, 1, activation="NONE")))
    levels.append(n.max_pool(levels[-1]))
    for _ in range(cells):
        levels = _cell(n, levels, channels)
    scores = [n.reshape(y, _anchors(y), _CLASSES) for y in _head(n, levels, channels, repeats, _ANCHORS * _CLASSES)]
    boxes = [n.reshape(y, _anchors(y), 4) for y in _head(n, levels, channels, repeats, _ANCHORS * 4)]
    return n.network(n.concatenate(boxes, 1), n.elementwise("LOGISTIC", n.concatenate(scores, 1)))


def _cell(n: Layers, levels: list[Tensor], channels: int) -> list[Tensor]:
    """One BiFPN cell: what a node sums is brought to its sides and channels first."""
    nodes, sides = list(levels), [shape_of(level)[1] for level in levels]
    for level, inputs in _NODES:
        first, *others = [_resample(n, nodes[place], sides[level - 3], channels) for place in inputs]
        for place, other in enumerate(others):
            first = n.add(first, other, "RELU6" if place == len(others) - 1 else "NONE")
        nodes.append(n.conv(n.depthwise(first, activation="NONE"), channels, 1, activation="NONE"))
    return nodes[8:]


def _resample(n: Layers, x: Tensor, side: int, channels: int) -> Tensor:
    if shape_of(x)[3] != channels:
        x = n.conv(x, channels, 1, activation="NONE")
    if shape_of(x)[1] > side:
        return n.max_pool(x)
    return n.resize(x, side, side) if shape_of(x)[1] < side else x


def _head(n: Layers, levels: list[Tensor], channels: int, repeats: int, outputs: int) -> list[Tensor]:
    spatial = [n.constant((1, 3, 3, channels)) for _ in range(repeats + 1)]
    last, found = n.constant((outputs, 1, 1, channels)), []
    for x in levels:
        for weights in spatial[:-1]:
            x = n.conv(n.depthwise(x, activation="NONE", weights=weights), channels, 1, activation="RELU6")
        found.append(n.conv(n.depthwise(x, activation="NONE", weights=spatial[-1]), outputs, 1, activation="NONE", weights=last))
    return found


def _anchors(x: Tensor) -> int:
    _, height, width, _ = shape_of(x)
    return height * width * _ANCHORS


BUILDERS: Builders = {name: partial(_efficientdet, name, *configuration) for name, configuration in _CONFIGURATIONS.items()}
