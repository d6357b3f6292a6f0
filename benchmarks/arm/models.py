"""The models whose instructions are counted: small int8 networks from seeds, of the shapes that Pixie's instruments ask for and of others about them.

Weights are drawn from a generator seeded with the model's name; scales are chosen so that codes spread over their range and few saturate. No
network here has learned anything: what is asked of them is whether two machines compute the same codes, and in how many instructions.
"""

import math
from collections.abc import Callable, Mapping
from math import prod

import numpy as np

from edge_runtime.graph import check_graph
from edge_runtime.graph.operators import KINDS
from edge_runtime.graph.structure import Graph, Operator, Tensor

_WHOLE = (-128, 127)
_INPUT_RMS = 74.0  # of codes drawn evenly from -128 .. 127
_RELU, _LINEAR = 80.0, 40.0  # standard deviation, in codes, that a layer's outputs are scaled to before a ReLU cuts them, or where none does


def models() -> dict[str, Graph]:
    """The networks by name, checked; the same codes and scales at every call."""
    return {name: _built(name) for name in _LAYERS}


def macs(graph: Graph) -> int:
    """Products that the convolutions and dense layers of one inference sum, those with padding included."""
    total = 0
    for operator in graph.operators:
        if "weights" in KINDS[operator.kind].inputs:
            x, weights, y = (graph.tensors[name] for name in (*operator.inputs[:2], *operator.outputs))
            places = prod((x if operator.kind == "transpose_conv" else y).shape[:-1])
            total += places * prod(weights.shape)
    return total


def longer(name: str, factor: int) -> Graph:
    """The network of that name on an input of `factor` times as many places along its last axis but one; of vectors, which have no places, as it is."""
    return _built(name, factor if has_places(name) else 1)


def has_places(name: str) -> bool:
    """Whether the input of the network is a series or a plane, no vector."""
    return len(_LAYERS[name][0]) == 3


def _built(name: str, factor: int = 1) -> Graph:
    shape, layers = _LAYERS[name]
    if factor > 1:
        shape = (*shape[:-2], shape[-2] * factor, shape[-1])
    network = _Network(name, shape)
    layers(network)
    network.output()
    graph = Graph(network.tensors, tuple(network.operators), ("x",), tuple(network.outputs))
    check_graph(graph, f"model {name}")
    return graph


class _Network:
    """Layers are added one after another, each to the tensor `at`; `rms`, in codes from its zero point, is what the next scale is chosen by."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.draw = np.random.default_rng([*name.encode()])
        self.at = Tensor("x", (1, *shape), "int8", np.array([1 / 32], np.float32), -3)
        self.tensors = {"x": self.at}
        self.rms = {"x": _INPUT_RMS}
        self.operators: list[Operator] = []
        self.outputs: list[str] = []
        self.marked: list[Tensor] = []

    def conv(self, o: int, kernel: int | tuple[int, int], stride: int = 1, dilation: int = 1, groups: int = 1, relu: bool = True) -> "_Network":
        """Convolution padded by half a kernel at every end, as torch does; a series is one row high, and its kernel one number."""
        _, h, w, c = self.at.shape
        kernel = (1, kernel) if isinstance(kernel, int) else kernel
        (sy, sx), (dy, dx) = ((1, value) if h == 1 else (value, value) for value in (stride, dilation))
        over = dy * (kernel[0] - 1), dx * (kernel[1] - 1)
        top, left = over[0] // 2, over[1] // 2
        bottom, right = over[0] - top, over[1] - left
        out = (1, (h - 1) // sy + 1, (w - 1) // sx + 1, o)
        attributes = {"stride": (sy, sx), "dilation": (dy, dx), "padding": (top, bottom, left, right), "groups": groups, "clamp": _WHOLE}
        return self._weighted("conv_2d", (o, *kernel, c // groups), out, relu, attributes, prod(kernel) * c // groups, per_channel=True)

    def transposed(self, o: int, kernel: int | tuple[int, int] = 4, crop: int = 1, relu: bool = True) -> "_Network":
        """Transposed convolution of stride 2 that is cut by `crop` samples at every end."""
        _, h, w, c = self.at.shape
        kernel = (1, kernel) if isinstance(kernel, int) else kernel
        sy, cy, sx, cx = (1, 0, 2, crop) if h == 1 else (2, crop, 2, crop)
        out = (1, (h - 1) * sy + kernel[0] - 2 * cy, (w - 1) * sx + kernel[1] - 2 * cx, o)
        attributes = {"stride": (sy, sx), "padding": (cy, cy, cx, cx), "output_padding": (0, 0), "clamp": _WHOLE}
        # per_tensor: XNNPACK runs no per_channel TRANSPOSE_CONV
        return self._weighted("transpose_conv", (o, *kernel, c), out, relu, attributes, prod(kernel) * c // (sy * sx), per_channel=False)

    def dense(self, *widths: int, relu: bool = True) -> "_Network":
        """Dense layers over the last axis."""
        for o in widths:
            *places, c = self.at.shape
            self._weighted("fully_connected", (o, c), (*places, o), relu, {"clamp": _WHOLE}, c, per_channel=False)
        return self

    def _weighted(self, kind: str, shape: tuple[int, ...], out: tuple[int, ...], relu: bool, attributes: Mapping[str, object], depth: int,
                  per_channel: bool) -> "_Network":
        x, o = self.at, shape[0]
        codes = self.draw.integers(-127, 128, shape).astype(np.int8)
        steps = self.draw.integers(128, 256, o if per_channel else 1)
        scale = (steps / 2**16).astype(np.float32)
        # Sums of integers and single roots: the same to the last bit whatever instructions NumPy has on this machine.
        spread = self.rms[x.name] * math.sqrt(depth * int(np.sum(codes.astype(np.int64) ** 2)) / codes.size)  # of the accumulators
        bias = self.draw.integers(-int(spread / 2), int(spread / 2) + 1, o).astype(np.int32)
        axis = 0 if per_channel else None
        number = len(self.operators)
        weights = Tensor(f"w{number}", shape, "int8", scale, 0, axis, codes)
        biases = Tensor(f"b{number}", (o,), "int32", x.scale * scale, 0, axis, bias)
        self.tensors |= {weights.name: weights, biases.name: biases}
        wanted = _RELU if relu else _LINEAR
        mean_scale = math.sqrt(int(np.sum(steps**2)) / len(steps)) / 2**16
        y_scale = np.float32(float(x.scale[0]) * mean_scale * spread / wanted)
        # A ReLU is the end of the codes: its output begins at the least one, as unsigned codes do.
        return self._add(kind, (weights.name, biases.name), out, attributes, y_scale, -128 if relu else 0, wanted / math.sqrt(2) if relu else wanted)

    def _add(self, kind: str, others: tuple[str, ...], shape: tuple[int, ...], attributes: Mapping[str, object], scale: np.float32 | None = None,
             zero_point: int | None = None, rms: float | None = None) -> "_Network":
        """Add an operator on `at` and `others`; scale, zero point and rms are those of `at` where they are not given."""
        x = self.at
        y = Tensor(f"y{len(self.operators)}", shape, "int8", x.scale if scale is None else np.array([scale], np.float32),
                   x.zero_point if zero_point is None else zero_point)
        self.operators.append(Operator(kind, (x.name, *others), (y.name,), attributes))
        self.tensors[y.name], self.rms[y.name], self.at = y, self.rms[x.name] if rms is None else rms, y
        return self

    def mark(self) -> "_Network":
        """Remember this place for `back`, `add` or `join`."""
        self.marked.append(self.at)
        return self

    def back(self) -> "_Network":
        """Go on from the place that was marked last."""
        self.at = self.marked.pop()
        return self

    def output(self) -> "_Network":
        """Let this be an output."""
        self.outputs.append(self.at.name)
        return self

    def add(self) -> "_Network":
        """Sum with the marked place."""
        other = self.marked.pop()
        reach = math.sqrt(sum((self.rms[tensor.name] * float(tensor.scale[0])) ** 2 for tensor in (self.at, other)))
        return self._add("add", (other.name,), self.at.shape, {"clamp": _WHOLE}, np.float32(reach / _LINEAR), 5, _LINEAR)

    def add_constant(self) -> "_Network":
        """Sum with a constant of the same shape."""
        codes = self.draw.integers(-128, 128, self.at.shape).astype(np.int8)
        constant = Tensor(f"c{len(self.operators)}", self.at.shape, "int8", self.at.scale, 0, None, codes)
        self.tensors[constant.name], self.rms[constant.name] = constant, _INPUT_RMS
        self.marked.append(constant)
        return self.add()

    def join(self) -> "_Network":
        """Join with the marked place along the channels, brought to its scale first."""
        other = self.marked.pop()
        self._add("requantise", (), self.at.shape, {}, other.scale[0], other.zero_point, self.rms[other.name])
        return self._add("concatenation", (other.name,), (*self.at.shape[:-1], self.at.shape[-1] + other.shape[-1]), {"axis": len(self.at.shape) - 1})

    def requantise(self, factor: float, zero_point: int) -> "_Network":
        """The same values on a scale `factor` times as large."""
        return self._add("requantise", (), self.at.shape, {}, np.float32(self.at.scale[0] * np.float32(factor)), zero_point, self.rms[self.at.name] / factor)

    def reshape(self, *shape: int) -> "_Network":
        """The same codes in another shape, without the batch; none: flat."""
        return self._add("reshape", (), (1, *(shape or (prod(self.at.shape),))), {})

    def transpose(self, *permutation: int) -> "_Network":
        """Axes exchanged, the batch being axis 0."""
        return self._add("transpose", (), tuple(self.at.shape[axis] for axis in permutation), {"permutation": permutation})

    def pool(self, kind: str, kernel: tuple[int, ...]) -> "_Network":
        """"max" or "average" of tiles of `kernel`, which tile the plane without a rest."""
        _, h, w, c = self.at.shape
        attributes = {"kernel": kernel, "stride": kernel, "padding": (0, 0, 0, 0)}
        return self._add(f"{kind}_pool_2d", (), (1, h // kernel[0], w // kernel[1], c), attributes)

    def mean(self) -> "_Network":
        """Mean of the plane, [1, c]; random codes average out, so the scale is finer."""
        c = self.at.shape[3]
        return self._add("mean", (), (1, c), {}, self.at.scale[0] / np.float32(2), -128 if self.at.zero_point == -128 else 0)

    def resize(self, *factors: int) -> "_Network":
        """Each code repeated along h and w."""
        _, h, w, c = self.at.shape
        return self._add("resize_nearest", (), (1, h * factors[0], w * factors[1], c), {"factors": factors})

    def pad(self, *amounts: int) -> "_Network":
        """Zeros before and behind, as many along each axis as `amounts` says, the batch left out."""
        around = (0, *amounts)
        shape = tuple(length + 2 * amount for length, amount in zip(self.at.shape, around, strict=True))
        return self._add("pad", (), shape, {"before": around, "after": around})

    def logistic(self) -> "_Network":
        """1 / (1 + exp(-x))."""
        return self._add("logistic", (), self.at.shape, {}, np.float32(1 / 256), -128, 128.0)

    def clamp(self, low: int, high: int) -> "_Network":
        """Codes limited."""
        return self._add("clamp", (), self.at.shape, {"clamp": (low, high)})


def _encoder(n: _Network, channels: tuple[int, ...], latent: int) -> _Network:
    """The photometers' encoder: logits are an output, and it goes on from the latents."""
    for o, kernel in zip(channels, (5, 5, 5, 9, 13, 13), strict=True):
        n.conv(o, kernel, 2)
    _brightest(n.mark()).dense(32).dense(5, relu=False).output()
    return n.back().reshape().dense(latent, relu=False)


def _brightest(n: _Network) -> _Network:
    """The greatest code of each channel."""
    n.pool("max", n.at.shape[1:3]).reshape()
    n.rms[n.at.name] *= 2  # far above the mean
    return n


def _decoder(n: _Network, channels: tuple[int, ...], length: int, crop: int) -> _Network:
    """Their decoder; `length`: of the innermost map, `crop`: samples cut at the ends of the last."""
    n.dense(channels[0] * length).reshape(1, length, channels[0])
    for o in channels[1:]:
        n.transposed(o)
    return n.transposed(3, crop=crop, relu=False)


def _residual(n: _Network, o: int, stride: int = 1) -> _Network:
    """Two convolutions 3 x 3 beside a way around them, as in ResNet (He et al. 2016)."""
    n.mark().conv(o, (3, 3), stride).conv(o, (3, 3), relu=False)
    if stride > 1:
        body = n.at
        n.back().conv(o, (1, 1), stride, relu=False).marked.append(body)
    return n.add()


def _separable(n: _Network, kernel: int | tuple[int, int], *steps: tuple[int, int]) -> _Network:
    """A depthwise and a pointwise convolution for each (channels, stride)."""
    for o, stride in steps:
        c = n.at.shape[3]
        n.conv(c, kernel, stride, groups=c).conv(o, 1)
    return n


def _resized(n: _Network, factors: tuple[int, int], kernel: int | tuple[int, int], *channels: int) -> _Network:
    """Repeat, then convolve, for each number of channels; no ReLU after the last."""
    for index, o in enumerate(channels):
        n.resize(*factors).conv(o, kernel, relu=index < len(channels) - 1)
    return n


_LAYERS: dict[str, tuple[tuple[int, ...], Callable[[_Network], _Network]]] = {
    # The project's own: a pixel's 48 frames, 2,304 pixels in a call; photometers, three channels of 1,040 samples.
    "pixels": ((1, 2304, 48), lambda n: n.conv(64, 1).conv(32, 1).conv(1, 1, relu=False)),
    "pixels_small": ((1, 2304, 48), lambda n: n.conv(16, 1).conv(8, 1).conv(1, 1, relu=False)),
    "pixel_alone": ((48,), lambda n: n.dense(64, 32).dense(1, relu=False)),
    "encoder": ((1, 1040, 3), lambda n: _encoder(n, (16, 16, 24, 24, 24, 24), 16)),
    "encoder_wide": ((1, 1040, 3), lambda n: _encoder(n, (32, 32, 48, 48, 64, 64), 50)),
    "decoder": ((16,), lambda n: _decoder(n, (24, 16, 12, 8), 65, 1)),
    "decoder_wide": ((50,), lambda n: _decoder(n, (48, 32, 24, 16), 67, 17)),
    "autoencoder": ((1, 1040, 3), lambda n: _decoder(_encoder(n, (8, 8, 12, 12, 16, 16), 8).output(), (16, 12, 8, 6), 65, 1)),
    # Dense ones; the first has the shape of MLPerf Tiny's anomaly detection (Banbury et al. 2021).
    "dense_anomaly": ((640,), lambda n: n.dense(128, 128, 128, 128, 8, 128, 128, 128, 128).dense(640, relu=False)),
    "dense_tiny": ((16,), lambda n: n.dense(16).dense(8, relu=False)),
    "dense_small": ((48,), lambda n: n.dense(64, 32).dense(5, relu=False)),
    "dense_middle": ((128,), lambda n: n.dense(128, 64).dense(10, relu=False)),
    "dense_wide": ((256,), lambda n: n.dense(512).dense(128, relu=False)),
    "dense_large": ((1024,), lambda n: n.dense(640, 384).dense(64, relu=False)),
    "dense_single": ((1024,), lambda n: n.dense(1024, relu=False)),
    "dense_deep": ((64,), lambda n: n.dense(*[64] * 12).dense(4, relu=False)),
    "dense_rows": ((100, 64), lambda n: n.dense(64, 32).dense(8, relu=False)),
    "dense_odd": ((77,), lambda n: n.dense(53, 31, 19).dense(3, relu=False)),
    # Series.
    "series_narrow": ((1, 1024, 4), lambda n: n.conv(8, 5, 2).conv(8, 5, 2).conv(16, 5, 2).reshape().dense(16, relu=False)),
    "series_wide": ((1, 512, 32), lambda n: n.conv(64, 5).conv(64, 5, 2).conv(128, 3, 2).mean().dense(10, relu=False)),
    "series_long_kernels": ((1, 1040, 3), lambda n: n.conv(16, 31, 4).conv(32, 15, 4).conv(32, 7, 4).reshape().dense(8, relu=False)),
    "series_dilated": ((1, 512, 16), lambda n: n.conv(24, 3).conv(24, 3, dilation=2).conv(24, 3, dilation=4).conv(24, 3, dilation=8, relu=False)),
    "series_one_channel": ((1, 4096, 1), lambda n: n.conv(8, 7, 2).conv(16, 7, 4).conv(16, 7, 4).reshape().dense(4, relu=False)),
    "series_pointwise": ((1, 1024, 32), lambda n: n.conv(64, 1).conv(64, 1).conv(32, 1, relu=False)),
    "series_odd": ((1, 500, 5), lambda n: n.conv(13, 5).conv(19, 3, 3).conv(7, 4, relu=False)),
    "series_deep": ((1, 260, 24), lambda n: n.conv(24, 5).conv(24, 5).conv(24, 5).conv(24, 5).conv(24, 5).conv(24, 5).conv(24, 5).conv(3, 5, relu=False)),
    # Planes: 8 x 8 pixels with 48 frames as channels, whole frames of 48 x 48.
    "plane_8": ((8, 8, 48), lambda n: n.conv(32, (3, 3)).conv(32, (3, 3)).reshape().dense(2, relu=False)),
    "plane_8_small": ((8, 8, 48), lambda n: n.conv(8, (3, 3), 2).reshape().dense(2, relu=False)),
    "plane_48": ((48, 48, 1), lambda n: n.conv(8, (3, 3), 2).conv(16, (3, 3), 2).conv(32, (3, 3), 2).reshape().dense(5, relu=False)),
    "plane_48_stack": ((48, 48, 8), lambda n: _brightest(
        n.conv(16, (3, 3)).conv(32, (3, 3), 2).pool("max", (2, 2)).conv(32, (3, 3))).dense(5, relu=False)),
    "plane_48_large": ((48, 48, 16), lambda n: _brightest(n.conv(32, (3, 3)).conv(32, (3, 3)).conv(64, (3, 3), 2)).dense(5, relu=False)),
    "plane_residual": ((32, 32, 3), lambda n: _residual(_residual(_residual(n.conv(16, (3, 3)), 16), 32, 2), 64, 2).mean().dense(10, relu=False)),
    # Channels by themselves or in groups.
    "separable_words": ((49, 10, 1), lambda n: _separable(n.conv(64, (10, 4), 2), (3, 3), *[(64, 1)] * 4).mean().dense(12, relu=False)),
    "separable_series": ((1, 520, 32), lambda n: _separable(n, 9, (32, 1), (48, 2), (64, 2)).mean().dense(5, relu=False)),
    "separable_plane": ((24, 24, 16), lambda n: _separable(n, (3, 3), (32, 1), (64, 2), (64, 1)).pool("average", (4, 4)).reshape().dense(5, relu=False)),
    "separable_deep": ((96, 96, 3), lambda n: _brightest(
        _separable(n.conv(8, (3, 3), 2), (3, 3), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1)))),
    "depthwise_alone": ((48, 48, 16), lambda n: n.conv(16, (3, 3), groups=16).conv(16, (5, 5), groups=16, relu=False)),
    "groups_series": ((1, 256, 32), lambda n: n.conv(32, 5, groups=4).conv(64, 5, groups=8, relu=False)),
    "groups_plane": ((16, 16, 32), lambda n: n.conv(32, (3, 3), groups=4).conv(64, (3, 3), 2, groups=2, relu=False)),
    # Back to more samples, by transposed convolutions and by repetition.
    "transposed_series": ((1, 256, 8), lambda n: n.conv(16, 4, 2).conv(32, 4, 2).transposed(16).transposed(8, relu=False)),
    "transposed_plane": ((6, 6, 32), lambda n: n.transposed(16, (4, 4)).transposed(8, (4, 4)).transposed(1, (4, 4), relu=False)),
    "resized_series": ((1, 65, 24), lambda n: _resized(n, (1, 2), 5, 16, 12, 8, 3)),
    "resized_plane": ((6, 6, 32), lambda n: _resized(n, (2, 2), (3, 3), 16, 8, 1)),
    # What moves, adds, joins and limits codes.
    "joined_series": ((1, 512, 8), lambda n: n.conv(16, 5).mark().conv(16, 5, 2).resize(1, 2).join().conv(8, 5, relu=False)),
    "joined_plane": ((24, 24, 8), lambda n: n.conv(16, (3, 3)).mark().conv(24, (3, 3), 2).resize(2, 2).join().conv(8, (3, 3), relu=False)),
    "sums": ((1, 1040, 16), lambda n: n.mark().requantise(1.7, 4).add().add_constant().mark().add().clamp(-90, 100)),
    "limits": ((1, 1040, 8), lambda n: n.conv(8, 5, relu=False).clamp(-40, 60).conv(8, 5, relu=False).clamp(0, 127)),
    "pools": ((48, 48, 8), lambda n: n.pool("average", (2, 2)).pool("max", (2, 2)).pad(2, 2, 0)),
    "moves_series": ((1, 512, 12), lambda n: n.transpose(0, 1, 3, 2).pad(0, 2, 0).reshape(1, 1024, 8).resize(1, 2).requantise(0.8, -7)),
    "moves_plane": ((32, 32, 8), lambda n: n.transpose(0, 2, 1, 3).pad(1, 1, 0).transpose(0, 3, 1, 2).requantise(1.3, 2)),
    # The same once more in other sizes: what stands in one model alone cannot be told when that model is left out.
    "sums_plane": ((32, 32, 8), lambda n: n.mark().conv(8, (3, 3)).add().mark().conv(8, (3, 3)).add().add_constant()),
    "sums_wide": ((1, 256, 64), lambda n: n.mark().requantise(1.2, -3).add().add_constant().add_constant()),
    "sums_small": ((1, 128, 8), lambda n: n.mark().requantise(0.9, 0).add().clamp(-100, 90)),
    "limits_plane": ((24, 24, 16), lambda n: n.clamp(-70, 80).conv(8, (3, 3), relu=False).clamp(-60, 90).clamp(0, 127)),
    "limits_wide": ((1, 512, 32), lambda n: n.clamp(0, 127).requantise(1.1, 3).clamp(-50, 50)),
    "pools_series": ((1, 1024, 16), lambda n: n.pool("average", (1, 2)).pool("average", (1, 4)).pool("max", (1, 2))),
    "pools_average": ((32, 32, 16), lambda n: n.conv(16, (3, 3)).pool("average", (4, 4)).reshape().dense(8, relu=False)),
    "pools_wide": ((16, 16, 64), lambda n: n.pool("average", (2, 2)).conv(32, (3, 3)).pool("max", (2, 2)).pool("average", (4, 4))),
    "pools_max": ((48, 48, 16), lambda n: n.pool("max", (2, 2)).pool("max", (2, 2)).pool("max", (3, 3))),
    "moves_wide": ((1, 256, 32), lambda n: n.transpose(0, 3, 1, 2).transpose(0, 2, 3, 1).pad(0, 8, 0).conv(16, 3, relu=False)),
    "pools_max_series": ((1, 1024, 24), lambda n: n.pool("max", (1, 2)).pool("max", (1, 4)).pool("max", (1, 2))),
    "pools_max_wide": ((16, 16, 64), lambda n: n.pool("max", (2, 2)).pool("max", (4, 4))),
    "pools_average_series": ((1, 512, 32), lambda n: n.pool("average", (1, 4)).pool("average", (1, 8))),
    "moves_kept": ((24, 24, 12), lambda n: n.transpose(0, 2, 1, 3)),
    "moves_rows": ((16, 48, 32), lambda n: n.transpose(0, 2, 1, 3).pad(1, 1, 0)),
    "moves_kept_wide": ((40, 12, 48), lambda n: n.transpose(0, 2, 1, 3).transpose(0, 2, 1, 3)),
    "moves_last": ((16, 16, 16), lambda n: n.conv(24, (3, 3)).transpose(0, 3, 1, 2).reshape().dense(12, relu=False)),
    "transposed_wide": ((1, 64, 32), lambda n: n.transposed(32).transposed(24).transposed(8, relu=False)),
    "transposed_planes": ((8, 8, 16), lambda n: n.transposed(16, (4, 4)).transposed(4, (4, 4), relu=False)),
    "transposed_mixed": ((12, 12, 24), lambda n: n.conv(16, (3, 3)).transposed(12, (4, 4)).conv(6, (3, 3), relu=False)),
    "depthwise_series": ((1, 1024, 24), lambda n: n.conv(24, 9, groups=24).conv(24, 5, groups=24, relu=False)),
    "depthwise_wide": ((16, 16, 64), lambda n: n.conv(64, (3, 3), groups=64).conv(64, (3, 3), groups=64, relu=False)),
    "dense_rows_wide": ((64, 128), lambda n: n.dense(96, 48).dense(4, relu=False)),
    "dense_rows_few": ((12, 40), lambda n: n.dense(40, 24).dense(8, relu=False)),
    "gates_series": ((1, 512, 8), lambda n: n.conv(8, 5, relu=False).logistic()),
    "gates_dense": ((256,), lambda n: n.dense(512, relu=False).logistic()),
    "odds_series": ((1, 2304, 4), lambda n: n.conv(4, 1, relu=False).logistic()),
    "odds_plane": ((48, 48, 1), lambda n: n.conv(4, (3, 3)).conv(1, (3, 3), relu=False).logistic()),
}
