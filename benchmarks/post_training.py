"""The int8 file that TensorFlow makes of the float twin after training, on the same windows: what quantisation-aware training is worth."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.errors import MissingError

from .material import Material

if TYPE_CHECKING:
    from torch import nn

REPRESENTATIVE = 300  # calibration windows that post-training quantisation sees


def post_training_logits(material: Material) -> np.ndarray:
    """Real logits float32 [w, 5] of the int8 file that TensorFlow makes of the float twin after training; MissingError without TensorFlow."""
    import torch

    from export.oracle_tensorflow import quantise_after_training, run_in_tensorflow
    from train.windows import window_set

    bundle, folder = material.bundle, material.scratch
    source, target = folder / "float_twin.onnx", folder / "post_training.tflite"
    torch.onnx.export(_float_encoder(material), (torch.zeros(1, 3, material.codes.shape[2]),), str(source), dynamo=False, opset_version=17,
                      input_names=["counts"], output_names=["posterior_mean", "logits"])
    windows = window_set("calibration", REPRESENTATIVE // 4, material.seed).counts
    quantise_after_training(source, bundle.tables.dequantise(bundle.tables.quantise(windows)), target)
    given, asked = _ends(target)
    # The file's own input grid: real values are put on it, as whoever flew that file would have to.
    reals = bundle.tables.dequantise(material.codes)
    codes = np.clip(np.rint(reals / given[1]) + given[2], -128, 127).astype(np.int8)
    found = run_in_tensorflow(target, {given[0]: codes})
    return np.asarray((found["logits"].astype(np.float32) - asked[2]) * asked[1], np.float32)


def _float_encoder(material: Material) -> "nn.Module":
    """counts [b, 3, 1040] float32 -> (posterior mean, logits) of the float twin, in eval mode."""
    from torch import nn

    from edge_runtime.preprocess import anscombe_tables
    from train.photometers import PhotometerSystem
    from train.run_folder import read_run

    assert material.run is not None  # for the type checker: asked for with a run only
    run = read_run(material.run)
    system = PhotometerSystem(run.configuration, "float_twin", anscombe_tables())
    system.load_arrays(run.float_twin)
    encoder = system.network.encoder

    class Flight(nn.Module):
        def forward(self, counts):  # type: ignore[no-untyped-def]
            posterior = encoder(counts)
            return posterior.mean, posterior.logits

        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder

    return Flight().eval()


def _ends(model: Path) -> tuple[tuple[str, float, int], tuple[str, float, int]]:
    """Name, scale and zero point of the input and of the logits of a converted file."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as missing:
        raise MissingError("ai-edge-litert", "engine", "is not installed: pip install ai-edge-litert") from missing
    interpreter = Interpreter(model_path=str(model))
    signature = interpreter.get_signature_runner("serving_default")
    given, asked = signature.get_input_details(), signature.get_output_details()
    (name, source), = given.items()
    return (name, *source["quantization"]), ("logits", *asked["logits"]["quantization"])
