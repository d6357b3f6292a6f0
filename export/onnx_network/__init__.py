"""The parts of `read_onnx_network`."""
