"""The parts of `export.read_onnx`, from the bytes upwards: door, values, layout, builder, then one file per family of operators."""
