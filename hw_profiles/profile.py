"""Hardware profiles: one TOML file per device and runtime, in which every number has a value, a unit, a status and a source.

A profile may inherit from one other (`inherits = "cortex-a53-litert"`), which lies beside it or among Pixie's own: what it states itself, text by text and
number by number, takes the place of what its parent states, and caveats add up. Only what was validated is one thing: who states `validation` inherits neither
`validation_reason` nor `numbers.validation_error`. An abstract profile is a parent and no board: a core, an accelerator without its host.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from edge_runtime.errors import InputError
from edge_runtime.files import read_bytes

from .instructions import COEFFICIENTS, SECONDS, TILE

SCHEMA_VERSION = 2
STATUSES = ("published", "measured", "fitted", "datasheet", "assumed")
TRUSTS = ("measured", "validated-model", "weak-calibration", "counted-assumed-cpi", "vendor-estimator", "architectural-bound")
FOLDER = Path(__file__).parent  # Pixie's own profiles
_LARGEST_FILE = 1 << 20
_LONGEST_CHAIN = 8

# What the cost model of that name takes from a profile; one without a cost model tells facts and estimates nothing.
COST_MODELS = {
    "instructions": ("clock_hz", "cores", *COEFFICIENTS, *TILE, "cycles_per_instruction_int8", "serial_share", "dram_read_bytes_per_s",
                     "l2_bytes", "model_error"),
    "loops": (*SECONDS, *TILE, "dram_read_bytes_per_s", "model_error"),
    "systolic": ("call_overhead_s", "call_overhead_input_share", "operator_overhead_s", "link_bytes_per_s", "systolic_clock_hz", "systolic_cycle_factor",
                 "systolic_side", "parameter_cache_bytes", "model_error"),
    "npu": ("macs_per_cycle", "clock_hz", "flash_bytes_per_s", "sram_bytes_per_s"),
    "cycles_per_mac": ("cycles_per_mac", "clock_hz"),
}
_UNITS = {  # the first pattern that fits a number's name says its unit
    r"\w+_bytes_per_s": "B/s", r"\w+_mac_per_s": "MAC/s", r"\w+_bytes": "B", r"\w+_hz": "Hz", r"\w+_s": "s", r"\w+_w": "W", r"\w+_j": "J",
    r"\w+_(error|share)": "share", r"instr_per_\w+": "instr", r"cycles_per_mac": "cycle/MAC", r"macs_per_cycle": "MAC/cycle", r"\w+": "1"}
_DIVISORS = ("Hz", "B/s", "MAC/s", "MAC/cycle")
# Of these there is no half, and an assumed one needs no range.
_COUNTS = ("cores", "systolic_side", *TILE)


@dataclass(frozen=True)
class Number:
    """One fact about a device: `value` in SI `unit`, how it is known and from where.

    `spread`: 5th and 95th percentile over `n` repeats or rows. `range`: the least and the most it may be, all of which a prediction spans; every assumed
    number has one, but for counts as `cores`. `inherited_from`: the profile that states it, empty where it is the profile's own.
    """

    value: float
    unit: str
    status: str
    source: str
    spread: tuple[float, float] | None = None
    n: int | None = None
    range: tuple[float, float] | None = None
    inherited_from: str = ""


@dataclass(frozen=True)
class Profile:
    """A device with the runtime that its numbers belong to: software alone moves one board by a factor of three.

    Texts that are not stated are empty, only abstract profiles may lack device, runtime, date, trust and validation. `validation`: what the predictions were
    compared with, numbers["validation_error"] apart from it; "none" for the `validation_reason`. `host`: the profile of the processor that runs what an
    accelerator does not take. `system_configuration`, `memory_mode`: Vela's. `inherits`: the parent, already merged in.
    """

    name: str
    device: str
    runtime: str
    date: str
    numbers: Mapping[str, Number]
    trust: str = ""
    validation: str = ""
    validation_reason: str = ""
    cost_model: str = ""
    host: str | None = None
    system_configuration: str = ""
    memory_mode: str = ""
    caveats: tuple[str, ...] = ()
    abstract: bool = False
    inherits: str = ""


_TEXTS = tuple(field.name for field in fields(Profile) if field.name not in ("name", "numbers", "caveats", "abstract", "inherits"))


def names() -> list[str]:
    """Pixie's own profiles of boards, in order of name."""
    return [name for name in _known(FOLDER) if not read_profile(FOLDER / f"{name}.toml").abstract]


def profile(name: str) -> Profile:
    """Pixie's own profile of a board; InputError with the nearest names where there is none, or where it is abstract."""
    found = read_profile(path_of(name))
    if found.abstract:
        raise InputError(found.name, "profile", f"is only a parent of others; name a board: {', '.join(names())}")
    return found


def path_of(name: str) -> Path:
    """The file of one of Pixie's own profiles, abstract ones too; InputError with the nearest names where there is none."""
    return _find(name, _known(FOLDER), name, "profile")


def read_profile(path: Path) -> Profile:
    """Read a profile with what it inherits and check all of it. InputError names the file, the field and the remedy."""
    path = Path(path)
    found = _merged(path, ())
    for key in () if found.abstract else ("device", "runtime", "date", "trust", "validation"):
        if not getattr(found, key):
            raise InputError(path, key, "is missing, and no parent states it; a board says what it is, how far it is trusted and on what it was validated")
    if found.validation == "none" and not found.validation_reason:
        raise InputError(path, "validation_reason", 'is missing; validation = "none" says why')
    if found.validation and (found.validation == "none") == ("validation_error" in found.numbers):
        raise InputError(path, "numbers.validation_error", 'must stand beside validation, and only where that is not "none"; state both or neither')
    if found.validation_reason and found.validation != "none":
        raise InputError(path, "validation_reason", 'belongs to validation = "none" alone; drop it')
    if found.cost_model:
        lacking = [key for key in COST_MODELS[found.cost_model] if key not in found.numbers]
        if lacking and not found.abstract:
            raise InputError(path, f"numbers.{lacking[0]}", f"is missing, the cost model {found.cost_model!r} takes it; state it or inherit it")
    return found


def stated(path: Path) -> Profile:
    """What one file states itself: texts and numbers of its parents are not in it. InputError where a field of it is wrong."""
    path = Path(path)
    try:
        document = tomllib.loads(read_bytes(path, _LARGEST_FILE).decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: of TOML, of UTF-8, of an integer with thousands of digits
        raise InputError(path, "TOML", f"cannot be read ({error}); mend the line") from error
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(path, "schema_version", f"is {version!r}, this Pixie reads {SCHEMA_VERSION}; update Pixie or the profile")
    _refuse_unknown(path, "top level", document, {"schema_version", *(field.name for field in fields(Profile))})
    texts: dict[str, Any] = {key: _text(path, key, document) if key in document else "" for key in (*_TEXTS, "inherits")}
    texts["host"] = texts["host"] or None
    for key, known in (("trust", TRUSTS), ("cost_model", tuple(COST_MODELS))):
        if texts[key] and texts[key] not in known:
            raise InputError(path, key, f"is {texts[key]!r}, must be one of {', '.join(known)}")
    if texts["host"]:
        _find(texts["host"], _known(path.parent, FOLDER), path, "host")
    abstract, caveats, numbers = document.get("abstract", False), document.get("caveats", []), document.get("numbers", {})
    if not isinstance(abstract, bool):
        raise InputError(path, "abstract", f"is {abstract!r}, must be true or false")
    if not isinstance(caveats, list) or not all(isinstance(caveat, str) and caveat.strip() for caveat in caveats):
        raise InputError(path, "caveats", "must be a list of texts, none of them empty")
    if not isinstance(numbers, dict) or not (numbers or texts["inherits"]):
        raise InputError(path, "numbers", "is missing or empty; a profile without a number says nothing")
    return Profile(_text(path, "name", document), numbers={key: _number(path, key, entry) for key, entry in numbers.items()}, caveats=tuple(caveats),
                   abstract=abstract, **texts)


def profile_text(profile: Profile) -> str:
    """The TOML text that `stated` reads back to an equal profile. ValueError where a parent is merged in: its numbers stay in its own file."""
    if any(number.inherited_from for number in profile.numbers.values()):
        raise ValueError(f"profile {profile.name!r} holds what its parent states; write what `stated` reads")
    lines = [f"schema_version = {SCHEMA_VERSION}", f"name = {_quoted(profile.name)}"]
    lines += [f"inherits = {_quoted(profile.inherits)}"] if profile.inherits else []
    lines += ["abstract = true"] if profile.abstract else []
    lines += [f"{key} = {_quoted(text)}" for key in _TEXTS if (text := getattr(profile, key))]
    if profile.caveats:
        lines += ["caveats = [", *(f"    {_quoted(caveat)}," for caveat in profile.caveats), "]"]
    for key, number in profile.numbers.items():
        lines += ["", f"[numbers.{key}]", f"value = {_shown(number.value)}", f"unit = {_quoted(number.unit)}",
                  f"status = {_quoted(number.status)}", f"source = {_quoted(number.source)}"]
        lines += [f"{name} = [{_shown(pair[0])}, {_shown(pair[1])}]" for name in ("range", "spread") if (pair := getattr(number, name)) is not None]
        lines += [f"n = {number.n}"] if number.n is not None else []
    return "\n".join(lines) + "\n"


def _merged(path: Path, below: tuple[Path, ...]) -> Profile:
    """The profile of a file with its parents merged in, each field checked in the file that states it; `below`: the files that led here."""
    if path.resolve() in below or len(below) == _LONGEST_CHAIN:
        way = " > ".join(step.stem for step in (*below, path))
        raise InputError(path, "inherits", f"leads back to itself or through more than {_LONGEST_CHAIN} profiles: {way}; let it end in one without a parent")
    own = stated(path)
    if not own.inherits:
        return own
    parent = _merged(_find(own.inherits, _known(path.parent, FOLDER), path, "inherits"), (*below, path.resolve()))
    texts = {key: getattr(own, key) or getattr(parent, key) for key in _TEXTS}
    numbers = {key: number if number.inherited_from else replace(number, inherited_from=own.inherits) for key, number in parent.numbers.items()}
    if own.validation:
        texts["validation_reason"] = own.validation_reason
        numbers.pop("validation_error", None)
    caveats = tuple(dict.fromkeys((*parent.caveats, *own.caveats)))
    return replace(own, **texts, numbers={**numbers, **own.numbers}, caveats=caveats)


def _number(path: Path, name: str, entry: object) -> Number:
    field = f"numbers.{name}"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(path, field, "is no name of a number; take small letters, digits and _")
    if not isinstance(entry, dict):
        raise InputError(path, field, "must be a table with value, unit, status and source")
    _refuse_unknown(path, field, entry, {"value", "unit", "status", "source", "spread", "n", "range"})
    value, unit, status, source = _finite(path, f"{field}.value", entry.get("value")), *(_text(path, key, entry, field) for key in ("unit", "status", "source"))
    if status not in STATUSES:
        raise InputError(path, f"{field}.status", f"is {status!r}, must be one of {', '.join(STATUSES)}")
    if unit != (wanted := next(unit for pattern, unit in _UNITS.items() if re.fullmatch(pattern, name))):
        raise InputError(path, f"{field}.unit", f"is {unit!r}, the name says {wanted!r}; rename the number or convert it")
    if value < 0 or (value == 0 and unit in _DIVISORS) or (name in _COUNTS and (value < 1 or value % 1)):
        raise InputError(path, f"{field}.value", f"is {value!r}; counts are whole numbers from 1, rates are above 0, all others 0 or more")
    spread, span = (_pair(path, f"{field}.{key}", entry[key]) if key in entry else None for key in ("spread", "range"))
    if span is None and status == "assumed" and name not in _COUNTS:
        raise InputError(path, f"{field}.range", "is missing; an assumed number states the least and the most it may be")
    if span is not None and not span[0] <= value <= span[1]:
        raise InputError(path, f"{field}.range", f"is {list(span)}, must hold the value {value!r}")
    if (status == "assumed") != source.startswith("assumed: "):
        raise InputError(path, f"{field}.source", "must be 'assumed: ' and the reason where the status is assumed, and only there")
    n = entry.get("n")
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
        raise InputError(path, f"{field}.n", f"is {n!r}, must be a number of repeats >= 1")
    return Number(value, unit, status, source, spread, n, span)


def _pair(path: Path, field: str, value: object) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise InputError(path, field, "must be two numbers: the 5th and the 95th percentile of a spread, the least and the most of a range")
    low, high = (_finite(path, field, end) for end in value)
    if not 0 <= low <= high:
        raise InputError(path, field, f"is {value}, must be two numbers >= 0, the smaller first")
    return low, high


def _text(path: Path, key: str, table: Mapping[str, object], field: str = "") -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InputError(path, f"{field}.{key}".lstrip("."), "is missing or empty; every profile and every number states it")
    return value


def _finite(path: Path, field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise InputError(path, field, f"is {value!r}, must be a finite number")
    return float(value)


def _refuse_unknown(path: Path, field: str, table: Mapping[str, object], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise InputError(path, f"{field}.{unknown[0]}", f"is not a field of a profile; known are {', '.join(sorted(known))}")


def _known(*folders: Path) -> dict[str, Path]:
    """Profiles of folders by name, in order of name; of two with one name that of the first folder."""
    found = {path.stem: path for folder in reversed(folders) for path in folder.glob("*.toml")}
    return dict(sorted(found.items()))


def _find(name: str, known: Mapping[str, Path], file: object, field: str) -> Path:
    if name not in known:
        near = get_close_matches(name, known, n=3, cutoff=0.4)
        raise InputError(file, field, f"no profile is named {name!r}; " + (f"did you mean {', '.join(near)}?" if near else f"known are {', '.join(known)}"))
    return known[name]


def _shown(value: float) -> str:
    """Whole numbers as such: repr would give 2400000000.0 for a clock."""
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")  # JSON's escapes are TOML's, which alone forbids DEL
