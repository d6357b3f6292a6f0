"""ONNX files that `export` must refuse: all are made from the bundle's own model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .damage import ANY_FILE, Attack, Case, FileDamage, Kind, Sources, undamaged


def _case(name: str, damage: FileDamage) -> Case:
    def build(folder: Path, sources: Sources, random: np.random.Generator) -> Attack:
        path = folder / "model.onnx"
        path.write_bytes((sources.bundle / "model.onnx").read_bytes())
        damage(path, random)
        (folder / "out").mkdir()  # an empty folder may be replaced by a good export, and must stay as it is for a bad one
        return Attack(("export", path.name, "--out", "out"))
    return Case("ONNX", name, build, names="model.onnx")


def _model(change: Callable[[Any, np.random.Generator], None]) -> FileDamage:
    """Damage of the model as a message; what comes out is a whole protobuf again."""
    def damage(path: Path, random: np.random.Generator) -> None:
        import onnx

        model = onnx.load(path)
        change(model, random)
        path.write_bytes(model.SerializeToString())
    return damage


def _constants(model: Any) -> dict[str, Any]:
    """The constant tensors by name: initialisers, and what Constant nodes hold."""
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant":
            found.update((node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value")
    return found


def _quantiser_input(model: Any, place: int, random: np.random.Generator) -> Any:
    """The constant that a random DequantizeLinear takes at `place`: 0 codes, 1 scale, 2 zero point."""
    constants = _constants(model)
    found = sorted({node.input[place] for node in model.graph.node if node.op_type == "DequantizeLinear"} & constants.keys())
    return constants[found[int(random.integers(len(found)))]]


def _scale(value: float) -> FileDamage:
    def change(model: Any, random: np.random.Generator) -> None:
        from onnx import numpy_helper

        tensor = _quantiser_input(model, 1, random)
        scale = numpy_helper.to_array(tensor).copy()
        scale.flat[0] = value
        tensor.CopyFrom(numpy_helper.from_array(scale, tensor.name))
    return _model(change)


def _float_codes(model: Any, random: np.random.Generator) -> None:
    from onnx import numpy_helper

    tensor = _quantiser_input(model, 0, random)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))


def _short_codes(model: Any, random: np.random.Generator) -> None:
    from onnx import numpy_helper

    tensor = _quantiser_input(model, 0, random)
    whole = numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name)
    whole.raw_data = whole.raw_data[:-1]
    tensor.CopyFrom(whole)


def _external(model: Any, random: np.random.Generator) -> None:
    from onnx import external_data_helper, numpy_helper

    tensor = _quantiser_input(model, 0, random)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))  # into raw_data, whatever field it stood in
    external_data_helper.set_external_data(tensor, location="../../../../../../../../etc/hostname", offset=0, length=1)
    tensor.ClearField("raw_data")


def _conv(model: Any) -> Any:
    return next(node for node in model.graph.node if node.op_type == "Conv")


def _unknown_operator(model: Any, random: np.random.Generator) -> None:
    _conv(model).op_type = "Det"


def _foreign_domain(model: Any, random: np.random.Generator) -> None:
    _conv(model).domain = "example.invalid"
    model.opset_import.add(domain="example.invalid", version=1)


def _newer_opset(model: Any, random: np.random.Generator) -> None:
    for entry in model.opset_import:
        entry.version = 999


def _newer_ir(model: Any, random: np.random.Generator) -> None:
    model.ir_version = 999


def _cycle(model: Any, random: np.random.Generator) -> None:
    conv = _conv(model)
    conv.input[0] = model.graph.output[0].name


def _dangling_tensor(model: Any, random: np.random.Generator) -> None:
    _conv(model).input[0] = "nobody_computes_this"


def _computed_twice(model: Any, random: np.random.Generator) -> None:
    model.graph.node.add().CopyFrom(_conv(model))


def _channel_missing(model: Any, random: np.random.Generator) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value -= 1


def _channel_extra(model: Any, random: np.random.Generator) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value += 1


def _any_length(model: Any, random: np.random.Generator) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "samples"


def _negative_length(model: Any, random: np.random.Generator) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = -1040


def _endless_length(model: Any, random: np.random.Generator) -> None:
    """A window of 2**40 samples: shapes multiply beyond any memory, and nothing may be allocated for them."""
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 1 << 40


def _no_output(model: Any, random: np.random.Generator) -> None:
    del model.graph.output[:]


def _zero_stride(model: Any, random: np.random.Generator) -> None:
    for attribute in _conv(model).attribute:
        if attribute.name == "strides":
            attribute.ints[:] = [0] * len(attribute.ints)


def _float_model(path: Path, random: np.random.Generator) -> None:
    """A network that was never quantised."""
    from onnx import TensorProto, helper, numpy_helper

    weights = numpy_helper.from_array(random.normal(size=(4, 3, 5)).astype(np.float32), "weights")
    nodes = [helper.make_node("Conv", ["x", "weights"], ["a"], name="first_conv", kernel_shape=[5]), helper.make_node("Relu", ["a"], ["y"])]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", [1, 3, 1040]), ("y", [1, 4, 1036])))
    graph = helper.make_graph(nodes, "float", [x], [y], [weights])
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString())


def _byte_flipped(path: Path, random: np.random.Generator) -> None:
    """A byte of a random operator's name. (A flipped bit of a weight is another valid weight.)"""
    import onnx

    names = sorted({node.op_type for node in onnx.load(path).graph.node})
    name = names[int(random.integers(len(names)))].encode()
    data = bytearray(path.read_bytes())
    place = data.index(b"\x22" + bytes([len(name)]) + name) + 2  # field 4 of a node, length-delimited: op_type
    data[place + int(random.integers(len(name)))] ^= int(random.integers(1, 128))
    path.write_bytes(data)


DAMAGES: dict[str, FileDamage] = {
    **ANY_FILE,
    "a byte flipped": _byte_flipped,
    "float model": _float_model,
    "unknown operator": _model(_unknown_operator),
    "operator of another domain": _model(_foreign_domain),
    "newer opset": _model(_newer_opset),
    "newer IR version": _model(_newer_ir),
    "NaN scale": _scale(np.nan),
    "negative scale": _scale(-0.1),
    "zero scale": _scale(0.0),
    "float for int": _model(_float_codes),
    "codes shorter than their shape": _model(_short_codes),
    "../ in external data": _model(_external),
    "a cycle": _model(_cycle),
    "a tensor that nobody computes": _model(_dangling_tensor),
    "a tensor computed twice": _model(_computed_twice),
    "channel missing": _model(_channel_missing),
    "channel extra": _model(_channel_extra),
    "a length left open": _model(_any_length),
    "negative length": _model(_negative_length),
    "a window of 2**40 samples": _model(_endless_length),
    "no output": _model(_no_output),
    "stride 0": _model(_zero_stride),
}
ONNX = Kind("ONNX", tuple(_case(name, damage) for name, damage in DAMAGES.items()), _case("undamaged", undamaged))
