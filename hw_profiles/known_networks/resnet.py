"""Residual networks with 1,000 classes.

v1 (arXiv:1512.03385) and v2 (arXiv:1603.05027) as tf.keras.applications builds them: v1 halves the sides in the first 1 x 1 convolution of a stack, v2 in the
3 x 3 convolution of its last block, and pads where the others have "SAME". v1.5, wide (arXiv:1605.07146) and ResNet-18 as torchvision builds them: sides are
halved in the first 3 x 3 convolution of a stack.
"""

from functools import partial

from ..network import Network, Tensor
from .layers import Builders, Layers

_WIDTHS = (64, 128, 256, 512)
_BLOCKS_50, _BLOCKS_152 = (3, 4, 6, 3), (3, 8, 36, 3)


def _v1(name: str, side: int, blocks: tuple[int, ...]) -> Network:
    n = Layers(name, side, side, 3)
    x = n.conv(n.pad(n.x, 3), 64, 7, 2, padding="VALID")
    x = n.max_pool(n.pad(x, 1), padding="VALID")
    for stack, (width, repeats) in enumerate(zip(_WIDTHS, blocks, strict=True)):
        for block in range(repeats):
            stride = 2 if stack and not block else 1
            shortcut = x if block else n.conv(x, 4 * width, 1, stride, "NONE")
            y = n.conv(n.conv(x, width, 1, stride), width, 3)
            x = n.add(shortcut, n.conv(y, 4 * width, 1, activation="NONE"), "RELU")
    return _classes(n, x)


def _v2(name: str, side: int, blocks: tuple[int, ...]) -> Network:
    n = Layers(name, side, side, 3)
    x = n.conv(n.pad(n.x, 3), 64, 7, 2, "NONE", "VALID")
    x = n.max_pool(n.pad(x, 1), padding="VALID")
    for width, repeats in zip(_WIDTHS, blocks, strict=True):
        for block in range(repeats):
            stride = 2 if block == repeats - 1 and width != _WIDTHS[-1] else 1
            before = n.normalise(x)
            shortcut = n.conv(before, 4 * width, 1, 1, "NONE") if not block else n.max_pool(x, 1, stride) if stride == 2 else x
            y = n.conv(n.pad(n.conv(before, width, 1), 1), width, 3, stride, padding="VALID")
            x = n.add(shortcut, n.conv(y, 4 * width, 1, activation="NONE"))
    return _classes(n, n.normalise(x))


def _v1_5(name: str, wide: int) -> Network:
    n = Layers(name, 224, 224, 3)
    x = n.max_pool(n.conv(n.x, 64, 7, 2))
    for stack, (width, repeats) in enumerate(zip(_WIDTHS, _BLOCKS_50, strict=True)):
        for block in range(repeats):
            stride = 2 if stack and not block else 1
            shortcut = x if block else n.conv(x, 4 * width, 1, stride, "NONE")
            y = n.conv(n.conv(x, wide * width, 1), wide * width, 3, stride)
            x = n.add(shortcut, n.conv(y, 4 * width, 1, activation="NONE"), "RELU")
    return _classes(n, x)


def _resnet_18() -> Network:
    n = Layers("resnet-18-224", 224, 224, 3)
    x = n.max_pool(n.conv(n.x, 64, 7, 2))
    for stack, width in enumerate(_WIDTHS):
        for block in range(2):
            stride = 2 if stack and not block else 1
            shortcut = n.conv(x, width, 1, stride, "NONE") if stride == 2 else x
            x = n.add(shortcut, n.conv(n.conv(x, width, 3, stride), width, 3, activation="NONE"), "RELU")
    return _classes(n, x)


def _classes(n: Layers, x: Tensor) -> Network:
    return n.network(n.softmax(n.dense(n.mean(x), 1000)))


BUILDERS: Builders = {
    "resnet-18-224": _resnet_18,
    "resnet-50-v1-224": partial(_v1, "resnet-50-v1-224", 224, _BLOCKS_50),
    "resnet-50-v1-299": partial(_v1, "resnet-50-v1-299", 299, _BLOCKS_50),
    "resnet-50-v1.5-224": partial(_v1_5, "resnet-50-v1.5-224", 1),
    "resnet-50-v2-299": partial(_v2, "resnet-50-v2-299", 299, _BLOCKS_50),
    "resnet-152-v2-299": partial(_v2, "resnet-152-v2-299", 299, _BLOCKS_152),
    "wide-resnet-50-2-224": partial(_v1_5, "wide-resnet-50-2-224", 2),
}
