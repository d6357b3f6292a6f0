"""Brevitas to QCDQ ONNX: the networks of a run as files in which every weight, bias and scale is the integer or float32 that was trained."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.files import new_file
from edge_runtime.pixels import FOCAL_PIXELS, WINDOW_FRAMES
from edge_runtime.preprocess import anscombe_tables

if TYPE_CHECKING:
    import torch
    from torch import nn

    from train.run_folder import Run

OUTPUTS = {
    "encoder": ("posterior_mean", "logits"),
    "decoder": ("reconstruction",),
    "whole": ("posterior_mean", "posterior_log_variance", "logits", "reconstruction"),
    "pixels": ("logit",),
}
INPUTS = {"encoder": "counts", "decoder": "latents", "whole": "counts", "pixels": "codes"}
_OPSET = 17


def export_onnx(module: "nn.Module", example_input: "torch.Tensor", path: Path, input_names: Sequence[str], output_names: Sequence[str]) -> None:
    """Write `module` (Brevitas, in eval mode) as QCDQ ONNX to `path`, whole or not at all; the same bytes for the same module.

    `example_input` float32 fixes the shapes: engines on board have one batch size. The file's only quantised tensors are those of the
    module; its inputs and outputs are float32 on the quantised grid. MissingError where the disk is full, InputError where `path` cannot be written.
    """
    from brevitas.export import export_onnx_qcdq

    with new_file(path) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notices about the older exporter: torch's newer one refuses quantised biases
        export_onnx_qcdq(module, example_input, export_path=str(temporary), dynamo=False, opset_version=_OPSET,
                         input_names=list(input_names), output_names=list(output_names))


def modules_of_run(run: "Run") -> "dict[str, tuple[nn.Module, torch.Tensor]]":
    """The networks of a run in eval mode, each with an example input; the first one flies: "encoder", "decoder" and "whole", or "pixels" alone.

    Encoder and whole take float32 [1, 3, 1040], (code + 128) * scale of the preprocessing; the decoder float32 [1, latent] on the grid of the
    posterior mean. Pixels takes float32 [1, 48, 2304], code * scale of the preprocessing. Outputs are tuples in the order of OUTPUTS, float32 on their grids.
    """
    from train.configuration import task_of

    return _pixel_modules(run) if task_of(run.configuration) == "minieuso" else _photometer_modules(run)


def _pixel_modules(run: "Run") -> "dict[str, tuple[nn.Module, torch.Tensor]]":
    import torch

    from train.pixels.training import PixelSystem

    system = PixelSystem(run.configuration, "quantised")
    system.load_arrays(run.quantised)
    return {"pixels": (system.network.eval(), torch.zeros(1, WINDOW_FRAMES, FOCAL_PIXELS))}


def _photometer_modules(run: "Run") -> "dict[str, tuple[nn.Module, torch.Tensor]]":
    import torch
    from torch import nn

    from train.models.layers import real
    from train.photometers import PhotometerSystem

    system = PhotometerSystem(run.configuration, "quantised", anscombe_tables())
    system.load_arrays(run.quantised)
    encoder, decoder = system.network.encoder, system.network.decoder

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk, self.mean, self.head = encoder.trunk, encoder.mean, encoder.head  # no log variance: the exporter refuses layers nobody feeds

        def forward(self, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            flat, brightest = self.trunk(counts)
            return real(self.mean(flat)), real(self.head(brightest))

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.latents, self.decoder = encoder.mean[1], decoder

        def forward(self, latents: torch.Tensor) -> torch.Tensor:
            return self.decoder(self.latents(latents))  # type: ignore[no-any-return]

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = encoder, decoder

        def forward(self, counts: torch.Tensor) -> tuple[torch.Tensor, ...]:
            flat, brightest = self.encoder.trunk(counts)
            mean: Any = self.encoder.mean(flat)  # still a Brevitas tensor: quantising it again would put a node of no effect into the file
            return real(mean), real(self.encoder.log_variance(flat)), real(self.encoder.head(brightest)), self.decoder(mean)

    window = torch.zeros(1, 3, run.configuration.model.samples)
    latents = torch.zeros(1, run.configuration.model.latent)
    return {"encoder": (Encoder().eval(), window), "decoder": (Decoder().eval(), latents), "whole": (Whole().eval(), window)}
