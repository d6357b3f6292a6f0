"""Inception networks with 1,000 classes, as TensorFlow-Slim builds them (tensorflow/models: research/slim/nets).

v1 with batch normalisation (arXiv:1409.4842; its 5 x 5 convolutions are 3 x 3 there and in torchvision's GoogLeNet), v3 (arXiv:1512.00567),
v4 and Inception-ResNet v2 (arXiv:1602.07261).
"""

from ..network import Network, Tensor
from .layers import Builders, Layers, Shape

# One convolution of a branch: channels and kernel, and whether it halves the sides without padding.
_Conv = tuple[int, int | Shape] | tuple[int, int | Shape, str]
_HALVE = "halve"
_ROW, _COLUMN = (1, 7), (7, 1)


def _branch(n: Layers, x: Tensor, *convs: _Conv) -> Tensor:
    for channels, kernel, *halve in convs:
        x = n.conv(x, channels, kernel, 2, padding="VALID") if halve else n.conv(x, channels, kernel)
    return x


def _mixed(n: Layers, x: Tensor, *branches: tuple[_Conv, ...], pooled: int = 0) -> Tensor:
    """Branches side by side, the last one an average pooling and a convolution of `pooled` channels, or with 0 a maximum that halves the sides."""
    parts = [_branch(n, x, *convs) for convs in branches]
    return n.concatenate((*parts, n.conv(n.average_pool(x), pooled, 1) if pooled else n.max_pool(x, padding="VALID")))


def _split(n: Layers, x: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """The pair that ends the widest branches: 1 x 3 and 3 x 1 beside each other."""
    return n.conv(x, channels, (1, 3)), n.conv(x, channels, (3, 1))


def _classes(n: Layers, x: Tensor) -> Network:
    return n.network(n.softmax(n.dense(n.mean(x), 1000)))


def _stem(n: Layers) -> Tensor:
    """299 x 299 to 35 x 35, 192 channels: of v3 and Inception-ResNet v2."""
    x = n.conv(n.conv(n.conv(n.x, 32, 3, 2, padding="VALID"), 32, padding="VALID"), 64)
    x = n.conv(n.conv(n.max_pool(x, padding="VALID"), 80, 1), 192, padding="VALID")
    return n.max_pool(x, padding="VALID")


# v1: channels of 1 x 1; 1 x 1 and the 3 x 3 after it; the same once more; 1 x 1 after a maximum. A number: a maximum of this kernel that halves the sides.
_V1: tuple[tuple[int, ...] | int, ...] = (
    (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), 3,
    (192, 96, 208, 16, 48, 64), (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64), (256, 160, 320, 32, 128, 128), 2,
    (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128),
)


def _v1() -> Network:
    n = Layers("inception-v1-224", 224, 224, 3)
    x = n.max_pool(n.conv(n.conv(n.max_pool(n.conv(n.x, 64, 7, 2)), 64, 1), 192))
    for block in _V1:
        if isinstance(block, int):
            x = n.max_pool(x, block)
        else:
            a, b, c, d, e, f = block
            x = n.concatenate((n.conv(x, a, 1), _branch(n, x, (b, 1), (c, 3)), _branch(n, x, (d, 1), (e, 3)), n.conv(n.max_pool(x, 3, 1), f, 1)))
    return _classes(n, x)


def _v3() -> Network:
    n = Layers("inception-v3-299", 299, 299, 3)
    x = _stem(n)
    for pooled in (32, 64, 64):
        x = _mixed(n, x, ((64, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)), pooled=pooled)
    x = _mixed(n, x, ((384, 3, _HALVE),), ((64, 1), (96, 3), (96, 3, _HALVE)))
    for c in (128, 160, 160, 192):
        x = _mixed(n, x, ((192, 1),), ((c, 1), (c, _ROW), (192, _COLUMN)), ((c, 1), (c, _COLUMN), (c, _ROW), (c, _COLUMN), (192, _ROW)), pooled=192)
    x = _mixed(n, x, ((192, 1), (320, 3, _HALVE)), ((192, 1), (192, _ROW), (192, _COLUMN), (192, 3, _HALVE)))
    for _ in range(2):
        wide = (*_split(n, n.conv(x, 384, 1), 384), *_split(n, _branch(n, x, (448, 1), (384, 3)), 384))
        x = n.concatenate((n.conv(x, 320, 1), *wide, n.conv(n.average_pool(x), 192, 1)))
    return _classes(n, x)


def _v4() -> Network:
    n = Layers("inception-v4-299", 299, 299, 3)
    x = n.conv(n.conv(n.conv(n.x, 32, 3, 2, padding="VALID"), 32, padding="VALID"), 64)
    x = _mixed(n, x, ((96, 3, _HALVE),))
    x = n.concatenate((n.conv(n.conv(x, 64, 1), 96, padding="VALID"), n.conv(_branch(n, x, (64, 1), (64, _ROW), (64, _COLUMN)), 96, padding="VALID")))
    x = _mixed(n, x, ((192, 3, _HALVE),))
    for _ in range(4):
        x = _mixed(n, x, ((96, 1),), ((64, 1), (96, 3)), ((64, 1), (96, 3), (96, 3)), pooled=96)
    x = _mixed(n, x, ((384, 3, _HALVE),), ((192, 1), (224, 3), (256, 3, _HALVE)))
    for _ in range(7):
        x = _mixed(n, x, ((384, 1),), ((192, 1), (224, _ROW), (256, _COLUMN)), ((192, 1), (192, _COLUMN), (224, _ROW), (224, _COLUMN), (256, _ROW)),
                   pooled=128)
    x = _mixed(n, x, ((192, 1), (192, 3, _HALVE)), ((256, 1), (256, _ROW), (320, _COLUMN), (320, 3, _HALVE)))
    for _ in range(3):
        wide = (*_split(n, n.conv(x, 384, 1), 256), *_split(n, _branch(n, x, (384, 1), (448, (3, 1)), (512, (1, 3))), 256))
        x = n.concatenate((n.conv(x, 256, 1), *wide, n.conv(n.average_pool(x), 256, 1)))
    return _classes(n, x)


def _resnet_v2() -> Network:
    n = Layers("inception-resnet-v2-299", 299, 299, 3)
    x = _mixed(n, _stem(n), ((96, 1),), ((48, 1), (64, 5)), ((64, 1), (96, 3), (96, 3)), pooled=64)
    for _ in range(10):
        x = _residual(n, x, 320, ((32, 1),), ((32, 1), (32, 3)), ((32, 1), (48, 3), (64, 3)))
    x = _mixed(n, x, ((384, 3, _HALVE),), ((256, 1), (256, 3), (384, 3, _HALVE)))
    for _ in range(20):
        x = _residual(n, x, 1088, ((192, 1),), ((128, 1), (160, _ROW), (192, _COLUMN)))
    x = _mixed(n, x, ((256, 1), (384, 3, _HALVE)), ((256, 1), (288, 3, _HALVE)), ((256, 1), (288, 3), (320, 3, _HALVE)))
    for last in (False,) * 9 + (True,):
        x = _residual(n, x, 2080, ((192, 1),), ((192, 1), (224, (1, 3)), (256, (3, 1))), activation="NONE" if last else "RELU")
    return _classes(n, n.conv(x, 1536, 1))


def _residual(n: Layers, x: Tensor, channels: int, *branches: tuple[_Conv, ...], activation: str = "RELU") -> Tensor:
    """Branches, a convolution to the channels of x, and x; the factor of the residual is in the weights of that convolution."""
    y = n.concatenate([_branch(n, x, *convs) for convs in branches])
    return n.add(x, n.conv(y, channels, 1, activation="NONE"), activation)


BUILDERS: Builders = {"inception-v1-224": _v1, "inception-v3-299": _v3, "inception-v4-299": _v4, "inception-resnet-v2-299": _resnet_v2}
