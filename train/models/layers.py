"""The layers a network is built of, in two kinds with equal parameter names: float, and Brevitas' quantisation-aware ones.

The float network is the trunk and the twin; its state loads into the quantised network, whose only further parameters are the
ranges of its activations. All scales are powers of two (fixed point). Then every product and partial sum of the fake-quantised network is
an integer times a power of two, which float32 holds exactly below 2^24 in whatever order it is added; and requantising is a shift. So
Brevitas, ONNX Runtime and the integer graph agree by construction, ties included, wherever a kernel rounds half to even: with learned float
scales 6 of 210,000 codes fell to the other side of a near-tie. No quantiser keeps counters, so parameters are all there is to save.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol

import brevitas.nn as qnn
import torch
from brevitas.quant import Int32Bias
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPointMinMaxInit,
    Int8WeightPerChannelFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPointMaxInit,
)
from torch import nn


class Layers(Protocol):
    """What a network asks for; each gives one module."""

    def counts(self) -> nn.Module:
        """The quantiser of the input: unsigned codes 0..255 times the preprocessing's scale, fixed."""

    def codes(self) -> nn.Module:
        """The quantiser of an input with a sign: codes -128..127 times the preprocessing's scale, fixed."""

    def conv(self, source: int, target: int, kernel: int, stride: int) -> nn.Module:
        """1-D convolution, padded by (kernel - 1) / 2 on both sides."""

    def dense(self, source: int, target: int) -> nn.Module:
        """Dense layer."""

    def transposed(self, source: int, target: int, activated: bool, crop: int = 0) -> nn.Module:
        """Transposed 1-D convolution that doubles the length less `crop` at either end: kernel 4, stride 2; `activated` where a ReLU follows."""

    def relu(self) -> nn.Module:
        """ReLU, with unsigned 8-bit codes where quantised."""

    def output(self) -> nn.Module:
        """The quantiser of a tensor without activation, signed 8-bit codes, zero point 0."""


class FloatLayers:
    """torch's own layers."""

    def counts(self) -> nn.Module:
        """See `Layers`."""
        return nn.Identity()

    def codes(self) -> nn.Module:
        """See `Layers`."""
        return nn.Identity()

    def conv(self, source: int, target: int, kernel: int, stride: int) -> nn.Module:
        """See `Layers`."""
        return nn.Conv1d(source, target, kernel, stride=stride, padding=kernel // 2)

    def dense(self, source: int, target: int) -> nn.Module:
        """See `Layers`."""
        return nn.Linear(source, target)

    def transposed(self, source: int, target: int, activated: bool, crop: int = 0) -> nn.Module:
        """See `Layers`."""
        return nn.ConvTranspose1d(source, target, 4, stride=2, padding=1 + crop)

    def relu(self) -> nn.Module:
        """See `Layers`."""
        return nn.ReLU()

    def output(self) -> nn.Module:
        """See `Layers`."""
        return nn.Identity()


class NormalisedLayers(FloatLayers):
    """torch's own layers, with batch normalisation after every convolution that an activation follows: the trunk learns faster.

    Batch statistics do not fly: `fold` puts them into weights and biases, and both tails start from those.
    """

    def conv(self, source: int, target: int, kernel: int, stride: int) -> nn.Module:
        """See `Layers`."""
        return _NormalisedConv(source, target, kernel, stride=stride, padding=kernel // 2)

    def transposed(self, source: int, target: int, activated: bool, crop: int = 0) -> nn.Module:
        """See `Layers`."""
        return (_NormalisedTransposed if activated else nn.ConvTranspose1d)(source, target, 4, stride=2, padding=1 + crop)


class _NormalisedConv(nn.Conv1d):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.norm = nn.BatchNorm1d(self.out_channels)

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return self.norm(super().forward(value))


class _NormalisedTransposed(nn.ConvTranspose1d):
    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.norm = nn.BatchNorm1d(self.out_channels)

    def forward(self, value: torch.Tensor) -> torch.Tensor:  # type: ignore[override]  # no output_size here
        return self.norm(super().forward(value))


def fold(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state of a network of `NormalisedLayers` as one of `FloatLayers` that computes the same in eval mode.

    Ioffe and Szegedy 2015: y = gamma (x - mean) / sqrt(variance + eps) + beta, per output channel.
    """
    state = {name: value.clone() for name, value in network.state_dict().items() if "norm." not in name}
    for name, module in network.named_modules():
        if isinstance(module, (_NormalisedConv, _NormalisedTransposed)):
            norm = module.norm
            assert norm.running_mean is not None and norm.running_var is not None  # for the type checker
            gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
            outputs = (1, -1, 1) if isinstance(module, nn.ConvTranspose1d) else (-1, 1, 1)  # torch keeps them as [in, out, k]
            prefix = f"{name}." if name else ""
            state[f"{prefix}weight"] = module.weight.detach() * gain.reshape(outputs)
            assert module.bias is not None
            state[f"{prefix}bias"] = (module.bias.detach() - norm.running_mean) * gain + norm.bias.detach()
    return state


class QuantisedLayers:
    """Brevitas' layers, scales powers of two: weights int8 in +-127, per channel for convolutions and else per tensor, int32 bias, 8-bit activations."""

    def __init__(self, input_scale: float) -> None:
        """ValueError where `input_scale` is no power of two: sums would no longer be exact."""
        if math.frexp(input_scale)[0] != 0.5:
            raise ValueError(f"the scale of the input is {input_scale!r}, must be a power of two as all others are")
        self._input_scale = input_scale

    def counts(self) -> nn.Module:
        """See `Layers`."""
        return _fixed(qnn.QuantIdentity(act_quant=Uint8ActPerTensorFixedPointMaxInit, max_val=1.0, return_quant_tensor=True), self._input_scale * 256)

    def codes(self) -> nn.Module:
        """See `Layers`."""
        return _fixed(self.output(), self._input_scale * 128)

    def conv(self, source: int, target: int, kernel: int, stride: int) -> nn.Module:
        """See `Layers`."""
        return qnn.QuantConv1d(source, target, kernel, stride=stride, padding=kernel // 2, bias=True,
                               weight_quant=Int8WeightPerChannelFixedPoint, bias_quant=Int32Bias)

    def dense(self, source: int, target: int) -> nn.Module:
        """See `Layers`."""
        return qnn.QuantLinear(source, target, bias=True, weight_quant=Int8WeightPerTensorFixedPoint, bias_quant=Int32Bias)

    def transposed(self, source: int, target: int, activated: bool, crop: int = 0) -> nn.Module:
        """See `Layers`. Per tensor: XNNPACK runs no per-channel TRANSPOSE_CONV."""
        return qnn.QuantConvTranspose1d(source, target, 4, stride=2, padding=1 + crop, bias=True,
                                        weight_quant=Int8WeightPerTensorFixedPoint, bias_quant=Int32Bias)

    def relu(self) -> nn.Module:
        """See `Layers`."""
        return qnn.QuantReLU(act_quant=Uint8ActPerTensorFixedPointMaxInit, max_val=1.0, return_quant_tensor=True)

    def output(self) -> nn.Module:
        """See `Layers`."""
        return qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPointMinMaxInit, min_val=-1.0, max_val=1.0, return_quant_tensor=True)


def layers_of(kind: str, input_scale: float) -> Layers:
    """The layers of a "trunk", a "float_twin" or a "quantised" network."""
    return {"trunk": NormalisedLayers, "float_twin": FloatLayers}[kind]() if kind != "quantised" else QuantisedLayers(input_scale)


def real(tensor: Any) -> torch.Tensor:
    """The plain float tensor of a plain or a Brevitas tensor."""
    return tensor if isinstance(tensor, torch.Tensor) else tensor.value


def scale_of(quantiser: nn.Module) -> float:
    """The scale (a float32's value) of a quantised `counts`, `relu` or `output` module."""
    return quantiser.act_quant.scale().item()  # type: ignore[union-attr,operator]


def measure_ranges(network: nn.Module, run: Callable[[nn.Module], object]) -> dict[str, float]:
    """Range calibration: the largest magnitude at every activation of a float network while `run(network)` feeds it, by module name."""
    ranges: dict[str, float] = {}

    def observe(name: str) -> Callable[[nn.Module, Any, torch.Tensor], None]:
        def hook(_module: nn.Module, _arguments: Any, value: torch.Tensor) -> None:
            ranges[name] = max(ranges.get(name, 0.0), float(value.detach().abs().max()))
        return hook

    hooks = [module.register_forward_hook(observe(name)) for name, module in network.named_modules() if isinstance(module, (nn.ReLU, nn.Identity))]
    try:
        with torch.no_grad():
            run(network)
    finally:
        for hook in hooks:
            hook.remove()
    return ranges


def load_state(network: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Copy `state` into the tensors that `network` has, in place; KeyError or ValueError where a name or a shape does not fit.

    Not load_state_dict: Brevitas then builds its quantisers anew, the optimiser goes on with the old ones and the ranges stand still.
    """
    for name, tensor in network.state_dict(keep_vars=True).items():
        if state[name].shape != tensor.shape:
            raise ValueError(f"{name} is {list(state[name].shape)}, must be {list(tensor.shape)}")
        tensor.detach().copy_(state[name])


def load_float_state(quantised: nn.Module, state: dict[str, torch.Tensor], ranges: dict[str, float]) -> None:
    """Fork: give a quantised network the parameters of its float trunk and the measured `ranges` as first ranges of its activations.

    A range of 0, an activation that never fired, becomes 1: any scale represents it. Brevitas keeps log2 of a range and rounds it up.
    """
    load_state(quantised, quantised.state_dict() | state)
    modules = dict(quantised.named_modules())
    for name, value in ranges.items():
        parameter = _range_exponent(modules[name])
        if parameter.requires_grad:
            parameter.detach().fill_(math.log2(value or 1.0))


def _fixed(quantiser: nn.Module, largest: float) -> nn.Module:
    """A quantiser whose range stays as the preprocessing has it."""
    parameter = _range_exponent(quantiser)
    parameter.requires_grad_(False)
    parameter.fill_(math.log2(largest))
    return quantiser


def _range_exponent(quantiser: nn.Module) -> nn.Parameter:
    parameter = quantiser.act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value  # type: ignore[union-attr]
    assert isinstance(parameter, nn.Parameter)
    return parameter
