"""MobileNets: v1 (arXiv:1704.04861), v2 (arXiv:1801.04381), v3 (arXiv:1905.02244), each with 1,000 classes."""

from functools import partial

from ..network import Network, Tensor
from .layers import Builders, Layers, multiple

# v1: channels and stride of each pair of a depthwise and a pointwise convolution.
_PAIRS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))

# v2: expansion, channels, repeats, stride of the first (its table 2).
_BOTTLENECKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))

# v3: kernel, expanded channels, channels, squeeze-and-excite, hard swish, stride (its tables 1 and 2).
_LARGE = (
    (3, 16, 16, False, False, 1), (3, 64, 24, False, False, 2), (3, 72, 24, False, False, 1), (5, 72, 40, True, False, 2), (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1), (3, 240, 80, False, True, 2), (3, 200, 80, False, True, 1), (3, 184, 80, False, True, 1), (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1), (3, 672, 112, True, True, 1), (5, 672, 160, True, True, 2), (5, 960, 160, True, True, 1), (5, 960, 160, True, True, 1),
)
_SMALL = (
    (3, 16, 16, True, False, 2), (3, 72, 24, False, False, 2), (3, 88, 24, False, False, 1), (5, 96, 40, True, True, 2), (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1), (5, 120, 48, True, True, 1), (5, 144, 48, True, True, 1), (5, 288, 96, True, True, 2), (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)


def v1_body(n: Layers, alpha: float) -> Tensor:
    """All but the classifier of MobileNet v1, every width multiplied with alpha."""
    x = n.conv(n.x, int(32 * alpha), stride=2, activation="RELU6")
    for channels, stride in _PAIRS:
        x = n.conv(n.depthwise(x, stride=stride), int(channels * alpha), 1, activation="RELU6")
    return x


def _v1(alpha: float, side: int) -> Network:
    n = Layers(f"mobilenet-v1-{alpha}-{side}", side, side, 3)
    x = n.conv(n.global_pool(v1_body(n, alpha)), 1000, 1, activation="NONE")
    return n.network(n.softmax(n.reshape(x, 1000)))


def _v2() -> Network:
    n = Layers("mobilenet-v2-1.0-224", 224, 224, 3)
    x, inputs = n.conv(n.x, 32, stride=2, activation="RELU6"), 32
    for expansion, channels, repeats, first in _BOTTLENECKS:
        for stride in (first, *(1,) * (repeats - 1)):
            y = n.conv(x, expansion * inputs, 1, activation="RELU6") if expansion > 1 else x
            y = n.conv(n.depthwise(y, stride=stride), channels, 1, activation="NONE")
            x = n.add(x, y) if stride == 1 and inputs == channels else y
            inputs = channels
    return n.network(n.softmax(n.dense(n.mean(n.conv(x, 1280, 1, activation="RELU6")), 1000)))


def _v3(name: str, blocks: tuple[tuple[int, int, int, bool, bool, int], ...], last: int, head: int) -> Network:
    n = Layers(name, 224, 224, 3)
    x, inputs = _hard_swish(n, n.conv(n.x, 16, stride=2, activation="NONE")), 16
    for kernel, expanded, channels, squeezed, swish, stride in blocks:
        y = x if expanded == inputs else _active(n, n.conv(x, expanded, 1, activation="NONE" if swish else "RELU"), swish)
        y = _active(n, n.depthwise(y, kernel, stride, activation="NONE" if swish else "RELU"), swish)
        y = n.conv(_squeeze_excite(n, y, expanded) if squeezed else y, channels, 1, activation="NONE")
        x = n.add(x, y) if stride == 1 and inputs == channels else y
        inputs = channels
    x = n.global_pool(_hard_swish(n, n.conv(x, last, 1, activation="NONE")))
    x = n.conv(_hard_swish(n, n.conv(x, head, 1, activation="NONE")), 1000, 1, activation="NONE")
    return n.network(n.softmax(n.reshape(x, 1000)))


def _squeeze_excite(n: Layers, x: Tensor, channels: int) -> Tensor:
    """x times a hard sigmoid of two layers of its mean: ADD of 3 with RELU6 and MUL with 1 / 6."""
    y = n.conv(n.conv(n.global_pool(x), multiple(channels / 4), 1), channels, 1, activation="NONE")
    return n.multiply(x, n.normalise(y, "RELU6"))


def _active(n: Layers, x: Tensor, swish: bool) -> Tensor:
    return _hard_swish(n, x) if swish else x


def _hard_swish(n: Layers, x: Tensor) -> Tensor:
    return n.elementwise("HARD_SWISH", x)


BUILDERS: Builders = {
    **{f"mobilenet-v1-{alpha}-{side}": partial(_v1, alpha, side) for alpha, side in ((1.0, 224), (0.5, 160), (0.25, 128))},
    "mobilenet-v2-1.0-224": _v2,
    "mobilenet-v3-large-224": partial(_v3, "mobilenet-v3-large-224", _LARGE, 960, 1280),
    "mobilenet-v3-small-224": partial(_v3, "mobilenet-v3-small-224", _SMALL, 576, 1024),
}
