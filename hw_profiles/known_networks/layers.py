"""Writes down a network layer by layer: shapes follow from what is asked for, constants take no memory."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..network import Network, Operator, Tensor
from ..work import weight_bytes

Shape = tuple[int, ...]
Builders = dict[str, Callable[[], Network]]


class Layers:
    """A network that grows: each method appends an operator of TFLite's schema and gives its output, x and outputs [1, height, width, channels].

    Everything is int8 with scale 1, biases are int32. `kernel`: a side or (height, width). `activation` is fused, as TFLite's converter does; batch
    normalisation after a convolution has become part of its weights and bias. `weights`: those of another layer, where a file holds them once for both.
    """

    def __init__(self, name: str, *shape: int) -> None:
        self.name = name
        self.operators: list[Operator] = []
        self.x = self._tensor("input", (1, *shape))

    def network(self, *outputs: Tensor) -> Network:
        """What was written down; `file_bytes` are those of its constants."""
        found = Network(self.name, tuple(self.operators), (self.x,), outputs, file_bytes=0)
        return Network(self.name, found.operators, found.inputs, outputs, file_bytes=weight_bytes(found))

    def conv(self, x: Tensor, channels: int, kernel: int | Shape = 3, stride: int = 1, activation: str = "RELU", padding: str = "SAME",
             weights: Tensor | None = None) -> Tensor:
        """CONV_2D with bias, weights [channels, height, width, channels of x]."""
        weights = weights or self.constant((channels, *_pair(kernel), shape_of(x)[3]))
        return self._layer("CONV_2D", x, weights, channels, stride, activation, padding)

    def depthwise(self, x: Tensor, kernel: int = 3, stride: int = 1, activation: str = "RELU6", weights: Tensor | None = None) -> Tensor:
        """DEPTHWISE_CONV_2D with bias, weights [1, kernel, kernel, channels]."""
        channels = shape_of(x)[3]
        weights = weights or self.constant((1, kernel, kernel, channels))
        return self._layer("DEPTHWISE_CONV_2D", x, weights, channels, stride, activation, "SAME", depth_multiplier=1)

    def dense(self, x: Tensor, units: int, activation: str = "NONE") -> Tensor:
        """FULLY_CONNECTED with bias on all elements of x: [1, units]."""
        inputs = (x, self.constant((units, prod(shape_of(x)))), self.constant((units,), "int32"))
        return self.append("FULLY_CONNECTED", inputs, (1, units), fused_activation_function=activation, weights_format="DEFAULT", keep_num_dims=False)

    def max_pool(self, x: Tensor, kernel: int = 3, stride: int = 2, padding: str = "SAME") -> Tensor:
        """MAX_POOL_2D."""
        return self._pool("MAX_POOL_2D", x, (kernel, kernel), stride, padding)

    def average_pool(self, x: Tensor, kernel: int = 3, stride: int = 1, padding: str = "SAME") -> Tensor:
        """AVERAGE_POOL_2D."""
        return self._pool("AVERAGE_POOL_2D", x, (kernel, kernel), stride, padding)

    def global_pool(self, x: Tensor) -> Tensor:
        """AVERAGE_POOL_2D over height and width: [1, 1, 1, channels]."""
        return self._pool("AVERAGE_POOL_2D", x, shape_of(x)[1:3], 1, "VALID")

    def mean(self, x: Tensor) -> Tensor:
        """MEAN over height and width: [1, channels]."""
        return self.append("MEAN", (x, self.integers([1, 2])), (1, shape_of(x)[3]), keep_dims=False)

    def add(self, x: Tensor, y: Tensor, activation: str = "NONE") -> Tensor:
        """ADD of two tensors of one shape."""
        return self.append("ADD", (x, y), shape_of(x), fused_activation_function=activation)

    def multiply(self, x: Tensor, y: Tensor) -> Tensor:
        """MUL of x with y, of its shape or [1, 1, 1, channels]."""
        return self.append("MUL", (x, y), shape_of(x), fused_activation_function="NONE")

    def normalise(self, x: Tensor, activation: str = "RELU") -> Tensor:
        """Batch normalisation that no convolution precedes: MUL and ADD with constants [channels]."""
        scale, shift = self.constant((shape_of(x)[3],)), self.constant((shape_of(x)[3],))
        return self.add(self.multiply(x, scale), shift, activation)

    def concatenate(self, parts: Sequence[Tensor], axis: int = 3) -> Tensor:
        """CONCATENATION."""
        shape = list(shape_of(parts[0]))
        shape[axis] = sum(shape_of(part)[axis] for part in parts)
        return self.append("CONCATENATION", parts, tuple(shape), axis=axis, fused_activation_function="NONE")

    def pad(self, x: Tensor, border: int) -> Tensor:
        """PAD of height and width on all sides."""
        _, height, width, channels = shape_of(x)
        amounts = self.integers([[0, 0], [border, border], [border, border], [0, 0]])
        return self.append("PAD", (x, amounts), (1, height + 2 * border, width + 2 * border, channels))

    def resize(self, x: Tensor, height: int, width: int) -> Tensor:
        """RESIZE_NEAREST_NEIGHBOR."""
        inputs = (x, self.integers([height, width]))
        return self.append("RESIZE_NEAREST_NEIGHBOR", inputs, (1, height, width, shape_of(x)[3]), align_corners=False, half_pixel_centers=True)

    def reshape(self, x: Tensor, *shape: int) -> Tensor:
        """RESHAPE to [1, *shape]."""
        return self.append("RESHAPE", (x, self.integers([1, *shape])), (1, *shape))

    def elementwise(self, kind: str, x: Tensor) -> Tensor:
        """An operator of one input and no options that keeps the shape: LOGISTIC, HARD_SWISH."""
        return self.append(kind, (x,), shape_of(x))

    def softmax(self, x: Tensor) -> Tensor:
        """SOFTMAX over the last axis."""
        return self.append("SOFTMAX", (x,), shape_of(x), beta=1.0)

    def append(self, kind: str, inputs: Sequence[Tensor], shape: Shape, **options: Any) -> Tensor:
        """Any operator with one output of that shape."""
        y = self._tensor(f"{kind.lower()}_{len(self.operators)}", shape)
        self.operators.append(Operator(kind, tuple(inputs), (y,), options))
        return y

    def constant(self, shape: Shape, dtype: str = "int8") -> Tensor:
        """Weights or the like: one element in memory, whatever the shape."""
        return self._tensor("constant", shape, dtype, np.broadcast_to(np.zeros((), dtype), shape))

    def integers(self, values: Sequence[Any]) -> Tensor:
        """What steers an operator: axes, amounts, lengths; int32."""
        array = np.array(values, np.int32)
        return self._tensor("integers", array.shape, "int32", array)

    def _layer(self, kind: str, x: Tensor, weights: Tensor, channels: int, stride: int, activation: str, padding: str, **options: Any) -> Tensor:
        height, width = _places(x, shape_of(weights)[1:3], stride, padding)
        return self.append(kind, (x, weights, self.constant((channels,), "int32")), (1, height, width, channels), padding=padding, stride_h=stride,
                           stride_w=stride, dilation_h_factor=1, dilation_w_factor=1, fused_activation_function=activation, **options)

    def _pool(self, kind: str, x: Tensor, kernel: Shape, stride: int, padding: str) -> Tensor:
        height, width = _places(x, kernel, stride, padding)
        return self.append(kind, (x,), (1, height, width, shape_of(x)[3]), padding=padding, stride_h=stride, stride_w=stride,
                           filter_height=kernel[0], filter_width=kernel[1], fused_activation_function="NONE")

    @staticmethod
    def _tensor(name: str, shape: Shape, dtype: str = "int8", values: Any = None) -> Tensor:
        return Tensor(name, shape, dtype, (1.0,), (0,), values=values)


def multiple(channels: float, divisor: int = 8) -> int:
    """The multiple of divisor nearest to channels, but never more than 10 % less: how MobileNets and EfficientNets scale their widths."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


def shape_of(x: Tensor) -> Shape:
    """The shape, of which all lengths are known here."""
    return tuple(length for length in x.shape if length is not None)


def _places(x: Tensor, kernel: Shape, stride: int, padding: str) -> Shape:
    """Height and width of what a sliding window leaves."""
    sides = shape_of(x)[1:3]
    return tuple(-(-side // stride) if padding == "SAME" else (side - window) // stride + 1 for side, window in zip(sides, kernel, strict=True))


def _pair(kernel: int | Shape) -> Shape:
    return (kernel, kernel) if isinstance(kernel, int) else kernel
