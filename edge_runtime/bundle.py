"""The bundle: the folder that flies. It says what it holds, and it is refused, with file and field, where anything in it is not as it says.

    manifest.json   schema version, task, tensors, preprocessing tables, score, thresholds, SHA-256 of the files below, versions and seed
    model.tflite    the network for LiteRT and tflite-runtime       model.onnx   the same for ONNX Runtime
    graph.json, graph.npz   the same as plain integers, for the reference engine
    golden.npz      input and output codes that an engine must reproduce
    ground/         decoder and whole model with a manifest of their own; not flown

Attacks that are answered here, each with a test: a field missing, of another type, out of range, NaN or infinite; a newer schema; a name
that leaves the folder (`..`, absolute, a link); a byte changed in any file, the manifest included (it seals itself); a file that is empty,
a folder, too large or unpacks to too much; golden vectors of another shape or dtype, or pickled; a graph or model for other tensors than
the manifest's.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arrays import open_npz
from .engines import Engine
from .errors import InputError
from .flagging import CLASSES, ScoreTable, Thresholds
from .graph import read_interface
from .manifest import LIMIT, REMEDY, Fields, TensorSpec, check_listed, read_manifest, tensors
from .preprocess import CHANNELS, FRAME_SAMPLES, SAMPLE_TIME, WINDOW_SAMPLES, CountTables

if TYPE_CHECKING:
    from .pixel_stream import PixelSettings

TASKS = ("mmia", "minieuso")
MANIFEST = "manifest.json"
FLOWN = ("model.tflite", "model.onnx", "graph.json", "graph.npz", "golden.npz")
# Engines whose kernels round as the reference does: their golden codes must be equal to the last one. The others' differences are counted.
EXACT_ENGINES = ("reference", "litert")
_PHOTOMETER_INPUT = (1, 1, WINDOW_SAMPLES, len(CHANNELS))


@dataclass(frozen=True, eq=False)
class Bundle:
    """An opened bundle: everything in it was checked but that an engine computes its golden vectors, which is `verify`."""

    folder: Path
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    files: Mapping[str, str]
    versions: Mapping[str, str]
    seed: int
    sha256: str


@dataclass(frozen=True, eq=False)
class PhotometerBundle(Bundle):
    """Of task "mmia": windows of photometer counts to candidates."""

    tables: CountTables
    score: ScoreTable
    thresholds: Thresholds


@dataclass(frozen=True, eq=False)
class PixelBundle(Bundle):
    """Of task "minieuso": frames of the focal surface to tracks."""

    settings: "PixelSettings"


@dataclass(frozen=True)
class Verification:
    """How an engine did on the golden vectors. differing: codes that differ, by output name; largest: the greatest difference in codes."""

    engine: Mapping[str, object]
    vectors: int
    codes: int
    differing: Mapping[str, int]
    largest: int

    @property
    def identical(self) -> bool:
        """True where the engine gave every golden code."""
        return not any(self.differing.values())


def open_bundle(folder: Path) -> PhotometerBundle | PixelBundle:
    """Open and check a bundle of any task; every refusal is an InputError that names the file and the field."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(folder, "folder", "is a file, a bundle is a folder" if folder.exists() else "does not exist; check the name")
    path = folder / MANIFEST
    document, data = read_manifest(path)
    fields = Fields(path, document)
    task = fields.text("task")
    if task not in TASKS:
        raise fields.wrong("task", f"is {task!r}, this runtime flies {', '.join(TASKS)}")
    inputs, outputs = tensors(fields, "inputs"), tensors(fields, "outputs")
    own: tuple[Any, ...] = _photometers(fields, inputs, outputs) if task == "mmia" else (_pixels(fields, inputs, outputs),)
    fields.table("thresholds").table("calibration")
    versions = fields.table("versions").document
    if not all(isinstance(version, str) for version in versions.values()):
        raise fields.wrong("versions", "must name a version, a string, for each package")
    seed = fields.integer("seed", 0, 1 << 63)
    files = check_listed(folder, fields, data, FLOWN)
    common = (folder, inputs[0], outputs, files, versions, seed, hashlib.sha256(data).hexdigest())
    return PhotometerBundle(*common, *own) if task == "mmia" else PixelBundle(*common, *own)


def open_photometers(folder: Path) -> PhotometerBundle:
    """Open a bundle that must be of task "mmia"; InputError as above."""
    bundle = open_bundle(folder)
    if not isinstance(bundle, PhotometerBundle):
        raise InputError(bundle.folder / MANIFEST, "task", "is 'minieuso', must be 'mmia' here; name a bundle of the photometers")
    return bundle


def open_pixels(folder: Path) -> PixelBundle:
    """Open a bundle that must be of task "minieuso"; InputError as above."""
    bundle = open_bundle(folder)
    if not isinstance(bundle, PixelBundle):
        raise InputError(bundle.folder / MANIFEST, "task", "is 'mmia', must be 'minieuso' here; name a bundle of the focal surface")
    return bundle


def verify(bundle: Bundle, engine: Engine) -> Verification:
    """Run the golden vectors through an engine and compare every code; InputError where either has other tensors than the manifest."""
    inputs, expected = read_golden(bundle)
    differing = {spec.name: 0 for spec in bundle.outputs}
    largest = 0
    for index in range(len(inputs)):
        found = engine.run(inputs[index:index + 1])
        given, promised = [(output.dtype.name, output.shape) for output in found], [("int8", spec.shape) for spec in bundle.outputs]
        if given != promised:
            raise InputError(bundle.folder, f"engine {engine.name}", f"gives {given}, the manifest says {promised}; {REMEDY}")
        for spec, output, golden in zip(bundle.outputs, found, expected, strict=True):
            difference = np.abs(output[0].astype(np.int16) - golden[index])
            differing[spec.name] += int(np.count_nonzero(difference))
            largest = max(largest, int(difference.max()))
    codes = len(inputs) * sum(math.prod(spec.shape) for spec in bundle.outputs)
    return Verification(engine.description, len(inputs), codes, differing, largest)


def read_golden(bundle: Bundle) -> tuple[npt.NDArray[np.int8], tuple[npt.NDArray[np.int8], ...]]:
    """Golden inputs int8 [k, ...] and, per output of the manifest, its codes int8 [k, ...]; InputError where they are not that."""
    path = bundle.folder / "golden.npz"
    with open_npz(path, LIMIT) as archive:
        names = ("inputs", *(spec.name for spec in bundle.outputs))
        if sorted(archive.members) != sorted(names):
            raise InputError(path, "arrays", f"are {', '.join(archive.members) or 'none'}, must be {', '.join(names)}; {REMEDY}")
        k = archive.members["inputs"].shape[0] if archive.members["inputs"].shape else 0
        if k < 1:
            raise InputError(path, "inputs", f"hold no vector; {REMEDY}")
        for name, shape in zip(names, (bundle.input.shape, *(spec.shape for spec in bundle.outputs)), strict=True):
            member = archive.members[name]
            if member.dtype != np.int8 or member.shape != (k, *shape[1:]):
                raise InputError(path, name, f"is {member.dtype} {list(member.shape)}, must be int8 {[k, *shape[1:]]}; {REMEDY}")
        arrays = [archive.read(name) for name in names]
    return arrays[0], tuple(arrays[1:])


def check_graph(bundle: Bundle) -> None:
    """Refuse (InputError) where the inputs and outputs of graph.json are not those of the manifest; engines compare their own file with graph.json."""
    interface = read_interface(bundle.folder)
    for field, held, specs in (("inputs", interface.inputs, (bundle.input,)), ("outputs", interface.outputs, bundle.outputs)):
        found = [TensorSpec(tensor.name, tensor.shape, float(tensor.scale[0]), tensor.zero_point) for tensor in held]
        if found != list(specs):
            raise InputError(bundle.folder / "graph.json", field, f"are {_described(found)}, the manifest says {_described(specs)}; {REMEDY}")


def check_ground(folder: Path) -> int:
    """Check the files of a bundle's `ground/`, where it has one; gives their number. InputError as for the bundle itself."""
    ground = Path(folder) / "ground"
    if not ground.exists():
        return 0
    document, data = read_manifest(ground / MANIFEST)
    return len(check_listed(ground, Fields(ground / MANIFEST, document), data, ()))


def _photometers(fields: Fields, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> tuple[CountTables, ScoreTable, Thresholds]:
    """What only a photometers' manifest holds."""
    preprocessing = fields.table("preprocessing")
    _check_fixed(preprocessing, {"channels": list(CHANNELS), "sample_time": SAMPLE_TIME, "window_samples": WINDOW_SAMPLES, "frame_samples": FRAME_SAMPLES})
    tables: CountTables = preprocessing.made(lambda: CountTables.from_document(preprocessing.document))
    _check_input(fields, inputs, _PHOTOMETER_INPUT, tables.scale, tables.zero_point)
    if [spec.name for spec in outputs] != ["posterior_mean", "logits"]:
        raise fields.wrong("outputs", f"are {_described(outputs)}, must be posterior_mean and logits")
    if len(outputs[0].shape) != 2 or outputs[0].shape[0] != 1:
        raise fields.wrong("outputs[0].shape", f"is {list(outputs[0].shape)}, must be [1, latent]")
    if outputs[1].shape != (1, len(CLASSES)):
        raise fields.wrong("outputs[1].shape", f"is {list(outputs[1].shape)}, must be [1, {len(CLASSES)}]")
    if fields.document.get("classes") != list(CLASSES):
        raise fields.wrong("classes", f"must be {', '.join(CLASSES)}, in this order")
    score, thresholds = fields.table("score"), fields.table("thresholds")
    return (tables, score.made(lambda: ScoreTable.from_document(score.document)),
            thresholds.made(lambda: Thresholds.from_document(thresholds.document)))


def _pixels(fields: Fields, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> "PixelSettings":
    """What only a focal surface's manifest holds. A photometers' process need not load its modules, half a megabyte."""
    from .frames import FRAME_GTU, PIXELS
    from .pixel_stream import PixelSettings
    from .pixels import FOCAL_PIXELS, WINDOW_FRAMES, PixelCodes
    from .tracking import TrackRules

    preprocessing = fields.table("preprocessing")
    _check_fixed(preprocessing, {"pixels": [PIXELS, PIXELS], "frame_gtu": FRAME_GTU, "window_frames": WINDOW_FRAMES})
    codes: PixelCodes = preprocessing.made(lambda: PixelCodes.from_document(preprocessing.document))
    _check_input(fields, inputs, (1, 1, FOCAL_PIXELS, WINDOW_FRAMES), codes.scale, 0)
    if [spec.name for spec in outputs] != ["logit"] or outputs[0].shape != (1, 1, FOCAL_PIXELS, 1):
        raise fields.wrong("outputs", f"are {_described(outputs)}, must be logit {[1, 1, FOCAL_PIXELS, 1]}")
    thresholds, tracks = fields.table("thresholds"), fields.table("tracks")
    rules: TrackRules = tracks.made(lambda: TrackRules.from_document(tracks.document))
    zero = tracks.document.get("magnitude_zero")
    if type(zero) is not float or not -30 < zero < 30:
        raise tracks.wrong("magnitude_zero", f"is {zero!r}, must be a number of -30 to 30")
    return PixelSettings(codes, thresholds.integer("flag", -129, 127), rules, zero)


def _check_fixed(fields: Fields, fixed: Mapping[str, object]) -> None:
    """What this runtime takes for granted of the preprocessing."""
    for field, value in fixed.items():
        if fields.document.get(field) != value:
            raise fields.wrong(field, f"is {fields.document.get(field)!r}, this runtime cuts windows with {value!r}")


def _check_input(fields: Fields, inputs: tuple[TensorSpec, ...], shape: tuple[int, ...], scale: float, zero_point: int) -> None:
    if len(inputs) != 1 or inputs[0].shape != shape:
        raise fields.wrong("inputs", f"are {_described(inputs)}, must be one tensor {list(shape)}")
    for field, value, wanted in (("scale", inputs[0].scale, scale), ("zero_point", inputs[0].zero_point, zero_point)):
        if value != wanted:
            raise fields.wrong(f"inputs[0].{field}", f"is {value}, but preprocessing.{field} is {wanted}")


def _described(tensors: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{spec.name} {list(spec.shape)} scale {spec.scale!r} zero point {spec.zero_point}" for spec in tensors)
