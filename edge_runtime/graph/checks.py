"""A graph is checked once, where it comes in: whoever holds a `Graph` from `read_graph` or past `check_graph` need not ask again."""

from math import prod

import numpy as np

from ..errors import InputError
from .operators import KINDS, Refused, check_operator
from .structure import Graph, Operator, Tensor

ELEMENTS = 1 << 24  # of one tensor: more fits no board we know, and a damaged shape allocates nothing
TENSORS = 1 << 14
_RANK = 5  # the most axes that every engine transposes
_CODES = {"int8": np.int8, "int32": np.int32}
_SPAN = {"int8": (-128, 127), "int32": (0, 0)}  # a bias has zero point 0


def check_graph(graph: Graph, file: object) -> None:
    """Refuse a graph that is not whole, consistent and computable: InputError naming `file` and the field as in graph.json."""
    if not 0 < len(graph.tensors) <= TENSORS or not 0 < len(graph.operators) <= TENSORS:
        raise InputError(file, "operators", f"are {len(graph.operators)} on {len(graph.tensors)} tensors, must be 1 .. {TENSORS}; export again")
    for index, (name, tensor) in enumerate(graph.tensors.items()):
        _check_tensor(file, f"tensors[{index}]", name, tensor)
    known = _check_inputs(file, graph)
    for index, operator in enumerate(graph.operators):
        _check_operator(file, f"operators[{index}]", operator, graph, known)
    _check_outputs(file, graph, known)


def _check_tensor(file: object, field: str, name: str, tensor: Tensor) -> None:
    if tensor.name != name or not 0 < len(name) <= 512 or not name.isprintable():
        raise InputError(file, f"{field}.name", f"is {name[:40]!r}, must be 1 .. 512 printable characters; export again")
    if tensor.dtype not in _CODES:
        raise InputError(file, f"{field}.dtype", f"is {tensor.dtype!r}, must be int8 or int32; export again")
    if not 0 < len(tensor.shape) <= _RANK or min(tensor.shape) < 1 or prod(tensor.shape) > ELEMENTS:
        raise InputError(file, f"{field}.shape", f"is {list(tensor.shape)}, must be 1 .. {_RANK} lengths of at most {ELEMENTS} elements; export again")
    low, high = _SPAN[tensor.dtype]
    if not low <= tensor.zero_point <= high:
        raise InputError(file, f"{field}.zero_point", f"is {tensor.zero_point}, must be {low} .. {high} for {tensor.dtype}; export again")
    axis = tensor.channel_axis
    if axis is not None and (not 0 <= axis < len(tensor.shape) or tensor.codes is None):
        raise InputError(file, f"{field}.channel_axis", f"is {axis}, must be an axis of a constant, {list(tensor.shape)}; export again")
    channels = 1 if axis is None else tensor.shape[axis]
    if tensor.scale.dtype != np.float32 or tensor.scale.shape != (channels,):
        raise InputError(file, f"{field}.scale", f"is {tensor.scale.dtype} {list(tensor.scale.shape)}, must be float32 [{channels}]; export again")
    if not np.all(np.isfinite(tensor.scale)) or not np.all(tensor.scale >= np.finfo(np.float32).tiny):
        raise InputError(file, f"{field}.scale", f"holds {tensor.scale.min()}, must be finite and > 0; export again")
    codes = tensor.codes
    if codes is not None and (codes.dtype != _CODES[tensor.dtype] or codes.shape != tensor.shape):
        raise InputError(file, f"{field}.codes", f"are {codes.dtype} {list(codes.shape)}, must be {tensor.dtype} {list(tensor.shape)}; export again")


def _check_inputs(file: object, graph: Graph) -> set[str]:
    if not graph.inputs or len(set(graph.inputs)) != len(graph.inputs):
        raise InputError(file, "inputs", f"are {list(graph.inputs)}, must be one or more, each once; export again")
    for index, name in enumerate(graph.inputs):
        tensor = graph.tensors.get(name)
        if tensor is None or tensor.codes is not None or tensor.dtype != "int8" or len(tensor.shape) < 2 or tensor.shape[0] != 1:
            raise InputError(file, f"inputs[{index}]", f"is {name!r}, must name an int8 tensor [1, ...] that is not constant; export again")
    return {name for name, tensor in graph.tensors.items() if tensor.codes is not None} | set(graph.inputs)


def _check_operator(file: object, field: str, operator: Operator, graph: Graph, known: set[str]) -> None:
    """One operator whose inputs must be in `known`; its output is added there."""
    if operator.kind not in KINDS:
        raise InputError(file, f"{field}.kind", f"is {operator.kind!r}, known are {', '.join(KINDS)}; update this program or export again")
    for index, name in enumerate(operator.inputs):
        if name not in known:
            what = "is computed only later" if name in graph.tensors else "is no tensor of the graph"
            raise InputError(file, f"{field}.inputs[{index}]", f"{name!r} {what}; export again")
    if len(operator.outputs) != 1 or operator.outputs[0] not in graph.tensors or operator.outputs[0] in known:
        raise InputError(file, f"{field}.outputs", f"are {list(operator.outputs)}, must name one tensor not yet computed; export again")
    try:
        check_operator(operator, [graph.tensors[name] for name in operator.inputs], graph.tensors[operator.outputs[0]])
    except Refused as refused:
        raise InputError(file, f"{field}.{refused.field}", f"{operator.kind}: {refused}; export again") from refused
    known.add(operator.outputs[0])


def _check_outputs(file: object, graph: Graph, known: set[str]) -> None:
    computed = {name for operator in graph.operators for name in operator.outputs}
    if not graph.outputs or len(set(graph.outputs)) != len(graph.outputs) or not set(graph.outputs) <= computed:
        raise InputError(file, "outputs", f"are {list(graph.outputs)}, must be one or more computed tensors, each once; export again")
    used = {name for operator in graph.operators for name in operator.inputs} | set(graph.outputs)
    idle = [name for name in graph.tensors if name not in known or (name not in used and name not in computed)]
    if idle:
        raise InputError(file, "tensors", f"{idle[0]!r} is used by no operator; export again")
