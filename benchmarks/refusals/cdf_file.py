"""CDF recordings that must be refused. Those with a fault in the content are written without a checksum, which would find them first."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .damage import ANY_FILE, FileDamage, Kind, flipped, recording_cases
from .frames import CHANGES, FLUX, NUMBER, Columns

CDF_DOUBLE = 45


class Form(NamedTuple):
    """How a variable is stored: CDF's number of its data type, and its unit."""

    data_type: int
    unit: str


def read_columns(path: Path) -> tuple[Columns, dict[str, Form]]:
    """Variables of a CDF file, one row a frame, and their forms."""
    from cdflib import CDF

    file = CDF(path)
    names = file.cdf_info().zVariables
    forms = {name: Form(file.varinq(name).Data_Type, str(file.varattsget(name).get("UNITS", ""))) for name in names}
    return {name: np.asarray(file.varget(name)) for name in names}, forms


def write_columns(path: Path, columns: Columns, forms: dict[str, Form]) -> None:
    """A CDF file with one variable per column, its records the rows; a column without a form is one more photometer."""
    from cdflib.cdfwrite import CDF

    path.unlink()  # cdflib refuses to write to a file that is there
    with CDF(path) as file:
        for name, values in columns.items():
            form = forms.get(name, forms[FLUX[0]])
            sizes = list(values.shape[1:])
            variable = {"Variable": name, "Data_Type": form.data_type, "Num_Elements": 1, "Rec_Vary": True, "Dim_Sizes": sizes}
            file.write_var(variable, {"UNITS": form.unit}, np.ascontiguousarray(values))


def _changed(change: Callable[[Columns, np.random.Generator], Columns]) -> FileDamage:
    def damage(path: Path, random: np.random.Generator) -> None:
        columns, forms = read_columns(path)
        write_columns(path, change(columns, random), forms)
    return damage


def _wrong_unit(path: Path, random: np.random.Generator) -> None:
    columns, forms = read_columns(path)
    write_columns(path, columns, {**forms, **{name: forms[name]._replace(unit="mW/m2") for name in FLUX}})


def _float_frame_number(path: Path, random: np.random.Generator) -> None:
    columns, forms = read_columns(path)
    write_columns(path, {**columns, NUMBER: columns[NUMBER] + 0.5}, {**forms, NUMBER: forms[NUMBER]._replace(data_type=CDF_DOUBLE)})


DAMAGES: dict[str, FileDamage] = {
    **ANY_FILE,
    "a byte flipped": flipped,  # the file carries an MD5 of itself
    "wrong unit": _wrong_unit,
    "frame number float for int": _float_frame_number,
    # A variable without records cannot be written by cdflib.
    **{name: _changed(change) for name, change in CHANGES.items() if name != "no frames"},
}
CONTROL: dict[str, FileDamage] = {"rewritten": _changed(lambda columns, random: columns)}
CDF = Kind("CDF", recording_cases("CDF", "recording.cdf", DAMAGES), recording_cases("CDF", "recording.cdf", CONTROL)[0])
