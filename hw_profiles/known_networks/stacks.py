"""Networks of one piece repeated, with 1,000 classes: VGG (arXiv:1409.1556), SqueezeNet (arXiv:1602.07360), DenseNet-121 (arXiv:1608.06993)."""

from functools import partial

from ..network import Network, Tensor
from .layers import Builders, Layers, shape_of


def _vgg(name: str, repeats: tuple[int, ...]) -> Network:
    n = Layers(name, 224, 224, 3)
    x = n.x
    for channels, count in zip((64, 128, 256, 512, 512), repeats, strict=True):
        for _ in range(count):
            x = n.conv(x, channels)
        x = n.max_pool(x, 2, padding="VALID")
    x = n.dense(n.dense(n.reshape(x, 7 * 7 * 512), 4096, "RELU"), 4096, "RELU")
    return n.network(n.softmax(n.dense(x, 1000)))


def _fire(n: Layers, x: Tensor, squeezed: int, expanded: int) -> Tensor:
    x = n.conv(x, squeezed, 1)
    return n.concatenate((n.conv(x, expanded, 1), n.conv(x, expanded, 3)))


def _squeezenet(name: str, channels: int, kernel: int, fires: tuple[tuple[tuple[int, int], ...], ...]) -> Network:
    """As torchvision builds them; each group of fire modules follows a pooling whose last window may be half a one."""
    n = Layers(name, 224, 224, 3)
    x = n.conv(n.x, channels, kernel, 2, padding="VALID")
    for group in fires:
        x = n.max_pool(x, padding="VALID" if shape_of(x)[1] % 2 else "SAME")
        for squeezed, expanded in group:
            x = _fire(n, x, squeezed, expanded)
    return n.network(n.softmax(n.reshape(n.global_pool(n.conv(x, 1000, 1)), 1000)))


def _densenet() -> Network:
    """As tf.keras.applications builds it. Normalisation before a convolution stays MUL and ADD, that between the two of a layer does not."""
    n = Layers("densenet-121-224", 224, 224, 3)
    x = n.max_pool(n.pad(n.conv(n.pad(n.x, 3), 64, 7, 2, padding="VALID"), 1), padding="VALID")
    channels = 64
    for block, layers in enumerate((6, 12, 24, 16)):
        for _ in range(layers):
            x = n.concatenate((x, n.conv(n.conv(n.normalise(x), 128, 1), 32, 3, activation="NONE")))
        channels += 32 * layers
        if block < 3:
            channels //= 2
            x = n.average_pool(n.conv(n.normalise(x), channels, 1, activation="NONE"), 2, 2, "VALID")
    return n.network(n.softmax(n.dense(n.mean(n.normalise(x)), 1000)))


BUILDERS: Builders = {
    "vgg16-224": partial(_vgg, "vgg16-224", (2, 2, 3, 3, 3)),
    "vgg19-224": partial(_vgg, "vgg19-224", (2, 2, 4, 4, 4)),
    "squeezenet-1.0-224": partial(_squeezenet, "squeezenet-1.0-224", 96, 7, (
        ((16, 64), (16, 64), (32, 128)), ((32, 128), (48, 192), (48, 192), (64, 256)), ((64, 256),))),
    "squeezenet-1.1-224": partial(_squeezenet, "squeezenet-1.1-224", 64, 3, (
        ((16, 64), (16, 64)), ((32, 128), (32, 128)), ((48, 192), (48, 192), (64, 256), (64, 256)))),
    "densenet-121-224": _densenet,
}
