"""TensorFlow in a process of its own: it reads our files to the same codes, and makes the post-training int8 file of a float network."""

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import InputError
from edge_runtime.graph import Executor
from export.oracle_tensorflow import quantise_after_training, run_in_tensorflow
from export.parity import random_windows
from export.read_onnx import read_onnx
from export.write_tflite import tflite_bytes
from tests.export.test_parity import autoencoder


def test_tensorflow_reads_our_file_to_the_same_codes(tmp_path: Path) -> None:
    graph = read_onnx(autoencoder(tmp_path))
    (tmp_path / "model.tflite").write_bytes(tflite_bytes(graph))
    (windows,) = random_windows(graph, 50, seed=2)
    outputs = run_in_tensorflow(tmp_path / "model.tflite", {graph.inputs[0]: windows})
    assert set(outputs) == set(graph.outputs)
    for name, codes in zip(graph.outputs, Executor(graph).run(windows), strict=True):
        np.testing.assert_array_equal(outputs[name], codes)


def test_a_file_of_another_kind_is_refused_before_tensorflow_starts(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"no network" * 20)
    with pytest.raises(InputError, match=r"model.tflite: file: is no TFLite file"):
        run_in_tensorflow(tmp_path / "model.tflite", {"x": np.zeros((1, 1, 12, 3), np.int8)})


def float_network(folder: Path) -> tuple[Path, np.ndarray]:
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.mean = nn.Conv1d(3, 8, 5, stride=2, padding=2), nn.Linear(128, 6)
            self.head, self.logits = nn.Linear(8, 7), nn.Linear(7, 5)
            self.open, self.widen = nn.Linear(6, 64), nn.ConvTranspose1d(4, 3, 4, stride=2, padding=1)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            features = torch.relu(self.conv(x))
            mean = self.mean(torch.flatten(features, 1))
            logits = self.logits(torch.relu(self.head(torch.flatten(nn.functional.max_pool1d(features, 16), 1))))
            return mean, logits, self.widen(torch.relu(self.open(mean)).view(-1, 4, 16))

    torch.manual_seed(0)
    network = Network().eval()
    path = folder / "float.onnx"
    torch.onnx.export(network, torch.zeros(1, 3, 32), str(path), dynamo=False, opset_version=17, input_names=["counts"],
                      output_names=["posterior_mean", "logits", "reconstruction"])  # fmt: skip
    return path, np.random.default_rng(0).normal(size=(40, 3, 32)).astype(np.float32)


def test_post_training_file_of_a_float_network_is_near_it(tmp_path: Path) -> None:
    import onnxruntime
    from ai_edge_litert.interpreter import Interpreter

    path, windows = float_network(tmp_path)
    quantise_after_training(path, windows, tmp_path / "ptq.tflite")
    interpreter = Interpreter(model_path=str(tmp_path / "ptq.tflite"))
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    assert given["dtype"] is np.int8 and {detail["dtype"] for detail in interpreter.get_output_details()} == {np.int8}
    scale, zero_point = given["quantization"]
    codes = np.clip(np.rint(windows.transpose(0, 2, 1)[:, None] / scale) + zero_point, -128, 127).astype(np.int8)
    runner = interpreter.get_signature_runner()
    runs = [runner(windows=codes[k : k + 1]) for k in range(len(codes))]
    session = onnxruntime.InferenceSession(str(path))
    for index, name in enumerate(("posterior_mean", "logits", "reconstruction")):
        real = np.concatenate([session.run(None, {"counts": windows[k : k + 1]})[index] for k in range(len(windows))])
        scale, zero_point = runner.get_output_details()[name]["quantization"]
        values = (np.concatenate([run[name] for run in runs]).astype(np.float32) - zero_point) * scale
        values = values[:, 0].transpose(0, 2, 1) if name == "reconstruction" else values
        error = np.abs(values - real).max() / np.abs(real).max()
        assert values.shape == real.shape and error < 0.1, f"{name}: {error}"
