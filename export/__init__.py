"""Export: trained network to ONNX, integer graph, int8 TFLite and bundle, with the proof that all compute the same integers."""
