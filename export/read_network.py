"""One door for a network of any origin: TFLite, ONNX, or a bundle of ours."""

from dataclasses import replace
from pathlib import Path

from edge_runtime.bundle import MANIFEST
from edge_runtime.errors import InputError
from hw_profiles.network import Network


def read_network(path: str | Path) -> Network:
    """The network of a .tflite or .onnx file, or of a bundle: its model.tflite, under the name of the folder.

    InputError where it is none of these, and where the reader of its format refuses it; what else the manifest says is not checked.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / MANIFEST).is_file():
            raise InputError(path, "folder", f"holds no {MANIFEST}, so it is no bundle; name a bundle, a .tflite or an .onnx file")
        from .read_tflite import read_tflite

        return replace(read_tflite(path / "model.tflite"), name=path.resolve().name)
    match path.suffix.lower():
        case ".tflite":
            from .read_tflite import read_tflite

            return read_tflite(path)
        case ".onnx":
            from .read_onnx_network import read_onnx_network

            return read_onnx_network(path)
    raise InputError(path, "file", "is neither a .tflite nor an .onnx file nor a bundle; name one" if path.exists() else "does not exist; check the name")
