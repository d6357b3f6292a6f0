"""The four models of MLPerf Tiny's closed division, mlcommons/tiny@1afd2c9: benchmark/training."""

from ..network import Network
from .layers import Builders, Layers
from .mobilenet import v1_body


def _anomaly_detection() -> Network:
    """640 features of a machine's sound and back."""
    n = Layers("mlperf-tiny-ad", 640)
    x = n.x
    for units in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = n.dense(x, units, "RELU")
    return n.network(n.dense(x, 640))


def _keyword_spotting() -> Network:
    """DS-CNN on 49 x 10 MFCCs, 12 words."""
    n = Layers("mlperf-tiny-kws", 49, 10, 1)
    x = n.conv(n.x, 64, (10, 4), 2)
    for _ in range(4):
        x = n.conv(n.depthwise(x, activation="RELU"), 64, 1)
    return n.network(n.softmax(n.dense(n.reshape(n.global_pool(x), 64), 12)))


def _image_classification() -> Network:
    """ResNet-8 on 32 x 32 pixels, 10 classes."""
    n = Layers("mlperf-tiny-ic", 32, 32, 3)
    x = n.conv(n.x, 16)
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        y = n.conv(n.conv(x, width, 3, stride), width, 3, activation="NONE")
        x = n.add(n.conv(x, width, 1, stride, "NONE") if stride == 2 else x, y, "RELU")
    return n.network(n.softmax(n.dense(n.reshape(n.global_pool(x), 64), 10)))


def _visual_wake_words() -> Network:
    """MobileNet v1 0.25 on 96 x 96 pixels, a person or none."""
    n = Layers("mlperf-tiny-vww", 96, 96, 3)
    return n.network(n.softmax(n.dense(n.reshape(n.global_pool(v1_body(n, 0.25)), 256), 2)))


BUILDERS: Builders = {
    "mlperf-tiny-ad": _anomaly_detection,
    "mlperf-tiny-kws": _keyword_spotting,
    "mlperf-tiny-ic": _image_classification,
    "mlperf-tiny-vww": _visual_wake_words,
}
