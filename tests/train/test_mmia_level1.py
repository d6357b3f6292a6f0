"""Level-1 files of MMIA: round trips through FITS and CDF, and every way we could think of in which such a file can be wrong."""

import os

import numpy as np
import pytest
from astropy.io import fits
from cdflib.cdfwrite import CDF

from edge_runtime.errors import InputError
from train.instruments.mmia import read_cdf, read_fits
from train.instruments.mmia.cdf import write_cdf
from train.instruments.mmia.fits import write_fits
from train.instruments.mmia.level1 import check_unit, utc_ns, utc_text
from train.instruments.mmia.scene import simulate

READERS = {"fits": read_fits, "cdf": read_cdf}
WRITERS = {"fits": write_fits, "cdf": write_cdf}


@pytest.fixture(scope="module")
def scene():
    return simulate("mix", 4, 3)


@pytest.fixture(scope="module")
def long_scene():
    return simulate("elve", 40, 8)


@pytest.fixture
def fits_file(scene, tmp_path):
    path = tmp_path / "recording.fits"
    write_fits(scene, path)
    return path


@pytest.fixture
def cdf_file(scene, tmp_path):
    path = tmp_path / "recording.cdf"
    write_cdf(scene, path)
    return path


def changed_fits(path, **changes):
    """The recording with columns changed: a name to values, (format, unit, values), or None to leave the column out."""
    with fits.open(path) as file:
        old = {column.name: (column.format, column.unit, np.array(file[1].data[column.name])) for column in file[1].columns}
    for name, change in changes.items():
        if isinstance(change, tuple):
            old[name] = change
        elif change is None:
            del old[name]
        else:
            old[name] = (*old[name][:2], change)
    columns = [fits.Column(name, form, unit=unit, array=values) for name, (form, unit, values) in old.items()]
    fits.BinTableHDU.from_columns(columns).writeto(path, overwrite=True)
    return path


def column(path, name):
    with fits.open(path) as file:
        return np.array(file[1].data[name])


def refusal(read, path):
    with pytest.raises(InputError) as caught:
        list(read(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("kind", ["fits", "cdf"])
def test_every_count_and_time_comes_back(kind, long_scene, tmp_path):
    path = tmp_path / f"recording.{kind}"
    WRITERS[kind](long_scene, path)
    back, expected = list(READERS[kind](path)), list(long_scene.stretches())
    assert len(back) == len(expected) == 40
    for one, other in zip(back, expected, strict=True):
        assert np.array_equal(one.counts, other.counts) and one.counts.dtype == np.uint16
        assert (one.frame, one.sample_start) == (other.frame, other.sample_start)
        assert abs(one.utc_start_ns - other.utc_start_ns) <= (0 if kind == "fits" else 8_000)  # CDF_EPOCH is a double


@pytest.mark.parametrize("kind", ["fits"])
def test_same_scene_same_bytes(kind, scene, tmp_path):
    for name in "ab":
        WRITERS[kind](scene, tmp_path / f"{name}.{kind}")
    assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()


@pytest.mark.parametrize("kind", ["fits", "cdf"])
def test_writing_that_fails_leaves_the_old_file_and_nothing_else(kind, scene, tmp_path, monkeypatch):
    path = tmp_path / f"recording.{kind}"
    path.write_text("old")

    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fits.HDUList, "writeto", broken)
    monkeypatch.setattr(CDF, "write_var", broken)
    with pytest.raises(Exception, match="full"):
        WRITERS[kind](scene, path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == [path.name]


def test_the_columns_of_a_written_file_have_the_published_names(fits_file):
    with fits.open(fits_file) as file:
        names, units = file[1].columns.names, dict(zip(file[1].columns.names, file[1].columns.units, strict=True))
        assert file[1].data["PHOT3_photon_flux"].shape == (4, 8320)
    assert {"frame_number", "raw_datetime", "corrected_datetime_level1", "frame_time_phot", "PHOT1Data_exists", "PHOT2_photon_flux"} <= set(names)
    assert units["PHOT1_photon_flux"] == "uW/m2"


def test_a_missing_frame_is_a_gap_in_time(fits_file, scene):
    with fits.open(fits_file) as file:
        table = fits.BinTableHDU(file[1].data[[0, 2, 3]])
        table.writeto(fits_file, overwrite=True)
    back = list(read_fits(fits_file))
    assert [s.frame for s in back] == scene.frame[[0, 2, 3]].tolist()
    assert [s.utc_start_ns for s in back] == scene.frame_utc_ns[[0, 2, 3]].tolist()
    assert [s.sample_start for s in back] == [0, 8320, 16640]


def test_a_frame_without_data_is_left_out(fits_file, scene):
    exists = np.array([True, False, True, True])
    flux = {f"PHOT{n}_photon_flux": column(fits_file, f"PHOT{n}_photon_flux") for n in (1, 2, 3)}
    for values in flux.values():
        values[1] = np.nan
    changed_fits(fits_file, **{f"PHOT{n}Data_exists": exists for n in (1, 2, 3)}, **flux)
    assert [s.frame for s in read_fits(fits_file)] == scene.frame[[0, 2, 3]].tolist()


def test_a_clock_corrected_once_per_observation_is_understood(fits_file, scene):
    """The corrected time may be the observation's, the same in every record: frames then follow the other clock."""
    corrected = column(fits_file, "corrected_datetime_level1")
    changed_fits(fits_file, corrected_datetime_level1=np.repeat(corrected[:1], 4))
    assert [s.utc_start_ns for s in read_fits(fits_file)] == scene.frame_utc_ns.tolist()


def test_flux_in_doubles_and_numbers_in_other_integers(fits_file, scene):
    flux = column(fits_file, "PHOT1_photon_flux").astype(float)
    changed_fits(fits_file, PHOT1_photon_flux=("8320D", "uW m-2", flux), frame_number=("J", None, np.arange(4)), PHOT2Data_exists=("B", None, np.ones(4)))
    assert np.array_equal(np.concatenate([s.counts for s in read_fits(fits_file)], axis=1), scene.counts)


@pytest.mark.parametrize("unit", ["uW/m2", "uW/m^2", "uW m-2", "uW m**-2", "uW/m**2", "µW/m²", "μW m⁻²", "microW/m2", "micro W / m2", "uW.m-2", "", None])
def test_spellings_of_the_unit(unit):
    check_unit("file", "field", unit)


@pytest.mark.parametrize("unit", ["W/m2", "mW/m2", "nW/m2", "uW/cm2", "uJ/m2", "counts", "ph/s"])
def test_other_units(unit):
    with pytest.raises(InputError, match="must be uW/m2"):
        check_unit("file", "field", unit)


@pytest.mark.parametrize("text", ["2019-06-01T00:00:00.000000+00:00", "2019-06-01T00:00:00Z", "2019-06-01T02:00:00+02:00", " 2019-06-01T00:00:00.0 "])
def test_times(text):
    assert utc_ns("file", "field", text) == 1_559_347_200_000_000_000
    assert utc_text(1_559_347_200_000_000_000) == "2019-06-01T00:00:00.000000+00:00"


# What is changed in a good FITS file -> the field that the refusal names, and a word of the reason.
FITS_ATTACKS = {
    "channel missing": (lambda p: changed_fits(p, PHOT2_photon_flux=None), "PHOT2_photon_flux", "missing"),
    "channel extra": (lambda p: changed_fits(p, PHOT4_photon_flux=("8320E", "uW/m2", np.zeros((4, 8320)))), "PHOT4_photon_flux", "three"),
    "level 0": (lambda p: changed_fits(p, PHOT1_photon_flux=None, PHOT1Data=("8320I", None, np.zeros((4, 8320)))), "PHOT1_photon_flux", "Level-0"),
    "no existence": (lambda p: changed_fits(p, PHOT3Data_exists=None), "PHOT3Data_exists", "missing"),
    "no number": (lambda p: changed_fits(p, frame_number=None), "frame_number", "missing"),
    "no time": (lambda p: changed_fits(p, frame_time_phot=None), "frame_time_phot", "missing"),
    "wrong unit": (lambda p: changed_fits(p, PHOT1_photon_flux=("8320E", "W/m2", column(p, "PHOT1_photon_flux"))), "PHOT1_photon_flux", "unit"),
    "unit said right, values in W": (lambda p: changed_fits(p, PHOT3_photon_flux=column(p, "PHOT3_photon_flux") * 1e-6), "PHOT3_photon_flux", "uW/m2"),
    "values in nW": (lambda p: changed_fits(p, PHOT3_photon_flux=column(p, "PHOT3_photon_flux") * 1e3), "PHOT3_photon_flux", "uW/m2"),
    "values in pW": (lambda p: changed_fits(p, PHOT2_photon_flux=column(p, "PHOT2_photon_flux") * 1e6), "PHOT2_photon_flux", "uW/m2"),
    "integers": (lambda p: changed_fits(p, PHOT2_photon_flux=("8320J", "uW/m2", np.ones((4, 8320)))), "PHOT2_photon_flux", "float"),
    "NaN": (lambda p: changed_fits(p, PHOT2_photon_flux=set_one(column(p, "PHOT2_photon_flux"), np.nan)), "PHOT2_photon_flux", "NaN"),
    "infinite": (lambda p: changed_fits(p, PHOT1_photon_flux=set_one(column(p, "PHOT1_photon_flux"), np.inf)), "PHOT1_photon_flux", "infinity"),
    "negative": (lambda p: changed_fits(p, PHOT3_photon_flux=set_one(column(p, "PHOT3_photon_flux"), -0.341)), "PHOT3_photon_flux", "negative"),
    "no whole count": (lambda p: changed_fits(p, PHOT3_photon_flux=set_one(column(p, "PHOT3_photon_flux"), 0.5)), "PHOT3_photon_flux", "whole counts"),
    "too bright": (lambda p: changed_fits(p, PHOT1_photon_flux=set_one(column(p, "PHOT1_photon_flux"), 1e30)), "PHOT1_photon_flux", "dead time"),
    "short frames": (lambda p: changed_fits(p, PHOT1_photon_flux=("8000E", "uW/m2", np.zeros((4, 8000)))), "PHOT1_photon_flux", "8320"),
    "frames of any length": (lambda p: changed_fits(p, PHOT1_photon_flux=("PE()", "uW/m2", ragged())), "PHOT1_photon_flux", ""),
    "scaled": (lambda p: fits.setval(changed_fits(p), "TSCAL6", value=2.0, ext=1), "PHOT1_photon_flux", "scaled"),
    "time back": (lambda p: swap(p, "frame_time_phot", "corrected_datetime_level1"), "corrected_datetime_level1", "back"),
    "corrected time back": (lambda p: swap(p, "corrected_datetime_level1"), "corrected_datetime_level1", "back"),
    "frame time back": (lambda p: swap(p, "frame_time_phot"), "frame_time_phot", "back"),
    "frames overlap": (lambda p: changed_fits(p, frame_time_phot=np.repeat(column(p, "frame_time_phot")[:1], 4)), "frame_time_phot", "83.2"),
    "no time at all": (lambda p: changed_fits(p, frame_time_phot=np.array(["", "a", "b", "c"])), "frame_time_phot", "must be a time"),
    "time as number": (lambda p: changed_fits(p, frame_time_phot=("D", None, np.arange(4.0))), "frame_time_phot", "text"),
    "clocks disagree": (lambda p: changed_fits(p, corrected_datetime_level1=later(p)), "corrected_datetime_level1", "damaged"),
    "duplicate frame": (lambda p: changed_fits(p, frame_number=np.array([1, 2, 2, 3])), "frame_number", "duplicates"),
    "number as float": (lambda p: changed_fits(p, frame_number=("D", None, np.arange(4.0))), "frame_number", "integer"),
    "some channels' data": (lambda p: changed_fits(p, PHOT2Data_exists=np.array([True, True, False, True])), "PHOT2Data_exists", "record 2"),
    "no data": (lambda p: changed_fits(p, **{f"PHOT{n}Data_exists": np.zeros(4, bool) for n in (1, 2, 3)}), "PHOT1Data_exists", "no photometer data"),
    "empty table": (lambda p: keep_rows(p, 0), "frame_number", "empty"),
    "an image": (lambda p: fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((8, 8)))]).writeto(p, overwrite=True), "table", "ImageHDU"),
    "no extension": (lambda p: fits.PrimaryHDU().writeto(p, overwrite=True), "table", "no extension"),
    "empty file": (lambda p: p.write_bytes(b""), "file", "empty"),
    "text": (lambda p: p.write_text("no FITS at all"), "SIMPLE", "no FITS"),
    "header without end": (lambda p: p.write_bytes(b"SIMPLE  =                    T".ljust(80) + b"COMMENT x".ljust(80) * 50000), "END", "damaged"),
    "folder": (lambda p: (p.unlink(), p.mkdir()), "file", "folder"),
    "dangling link": (lambda p: (p.unlink(), p.symlink_to("nowhere")), "file", "nowhere"),
    "2 GB of nothing": (lambda p: os.truncate(p, 2 << 30), "file", "split"),
    "sparse under the limit": (lambda p: (p.write_bytes(b""), os.truncate(p, 400 << 20)), "SIMPLE", "no FITS"),
    "more rows than bytes": (lambda p: edit_header(p, NAXIS2=40), "table", "cut off"),
    "more rows than any disk": (lambda p: edit_header(p, NAXIS2=1_000_000_000), "", ""),
    "wider than its columns": (lambda p: edit_header(p, NAXIS1=99860), "", ""),
}


def set_one(values, value):
    values[2, 4321] = value
    return values


def ragged():
    rows = np.empty(4, object)
    rows[:] = [np.zeros(100 + k, np.float32) for k in range(4)]
    return rows


def swap(path, *names):
    return changed_fits(path, **{name: column(path, name)[[0, 2, 1, 3]] for name in names})


def later(path):
    times = column(path, "corrected_datetime_level1")
    times[3] = times[3].replace("2019", "2020")
    return times


def keep_rows(path, rows):
    with fits.open(path) as file:
        table = fits.BinTableHDU(file[1].data[:rows])
    table.writeto(path, overwrite=True)


def edit_header(path, **cards):
    """Change cards in place, the bytes of the table stay; without checksums, so that the cards themselves have to tell."""
    changed_fits(path)
    data = path.read_bytes()
    for key, value in cards.items():
        at = data.index(f"{key:<8}=".encode(), 2880)
        data = data[:at] + f"{key:<8}= {value:>20}".ljust(80).encode() + data[at + 80 :]
    path.write_bytes(data)


@pytest.mark.parametrize("attack", FITS_ATTACKS)
def test_a_bad_fits_file_is_refused(attack, fits_file, recwarn):
    change, field, reason = FITS_ATTACKS[attack]
    change(fits_file)
    message = refusal(read_fits, fits_file)
    assert message.startswith(f"{field}: " if field else "") and reason in message
    assert not [w for w in recwarn if "astropy" in w.category.__module__ and "Truncat" in str(w.message)]


@pytest.mark.parametrize("kind", ["fits", "cdf"])
def test_a_file_cut_anywhere_is_refused(kind, scene, tmp_path):
    path = tmp_path / f"recording.{kind}"
    WRITERS[kind](scene, path)
    whole = path.read_bytes()
    used = 2880 * 3 + 4 * 99900 if kind == "fits" else len(whole)  # FITS pads its end
    for keep in np.random.default_rng(0).integers(1, used - 3000, 25):
        path.write_bytes(whole[:keep])
        refusal(READERS[kind], path)


@pytest.mark.parametrize("kind", ["fits", "cdf"])
def test_a_flipped_byte_is_refused(kind, scene, tmp_path):
    """Our files carry checksums."""
    path = tmp_path / f"recording.{kind}"
    WRITERS[kind](scene, path)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for at in rng.integers(0, len(whole), 60):
        data = bytearray(whole)
        data[at] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        refusal(READERS[kind], path)


def changed_cdf(path, scene, **changes):
    """A small CDF with variables changed: a name to (data type, values), a unit under NAME_unit, or None to leave the variable out."""
    with np.errstate(all="ignore"):
        from train.instruments.mmia.flux import counts_to_flux

        flux = [counts_to_flux(scene.counts[c].reshape(4, 8320), c).astype(np.float32) for c in range(3)]
    epoch = scene.frame_utc_ns / 1e6 + 62_167_219_200_000
    variables = {"frame_number": (8, scene.frame), "corrected_datetime_level1": (31, epoch), "frame_time_phot": (31, epoch)}
    for n in (1, 2, 3):
        variables |= {f"PHOT{n}Data_exists": (1, np.ones(4, np.int8)), f"PHOT{n}_photon_flux": (44, flux[n - 1])}
    units = {name.removesuffix("_unit"): changes.pop(name) for name in list(changes) if name.endswith("_unit")}
    variables |= changes
    path.unlink()
    with CDF(str(path)) as file:
        for name, change in variables.items():
            if change is None:
                continue
            data_type, values = change
            elements = 32 if data_type == 51 else 1
            spec = {"Variable": name, "Data_Type": data_type, "Num_Elements": elements, "Rec_Vary": True, "Dim_Sizes": list(np.shape(values)[1:])}
            file.write_var(spec, {"UNITS": units.get(name, "uW/m2" if "flux" in name else " ")}, values)


def test_a_cdf_of_other_makers_with_its_times_as_text_or_tt2000(cdf_file, scene):
    from cdflib import cdfepoch

    text = np.array([utc_text(int(ns)) for ns in scene.frame_utc_ns])
    tt2000 = np.array(cdfepoch.timestamp_to_tt2000(scene.frame_utc_ns / 1e9))
    changed_cdf(cdf_file, scene, corrected_datetime_level1=(51, text), frame_time_phot=(33, tt2000), PHOT1_photon_flux_unit="uW m^-2")
    back = list(read_cdf(cdf_file))
    assert np.array_equal(np.concatenate([s.counts for s in back], axis=1), scene.counts)
    assert max(abs(s.utc_start_ns - ns) for s, ns in zip(back, scene.frame_utc_ns, strict=True)) < 10_000


CDF_ATTACKS = {
    "channel missing": ({"PHOT2_photon_flux": None}, "PHOT2_photon_flux", "missing"),
    "channel extra": ({"PHOT4_photon_flux": (44, np.zeros((4, 8320), np.float32))}, "PHOT4_photon_flux", "three"),
    "wrong unit": ({"PHOT1_photon_flux_unit": "W/m2"}, "PHOT1_photon_flux", "unit"),
    "integers": ({"PHOT1_photon_flux": (4, np.ones((4, 8320), np.int32))}, "PHOT1_photon_flux", "float"),
    "NaN": ({"PHOT3_photon_flux": (44, np.full((4, 8320), np.nan, np.float32))}, "PHOT3_photon_flux", "NaN"),
    "negative": ({"PHOT3_photon_flux": (44, np.full((4, 8320), -1, np.float32))}, "PHOT3_photon_flux", "negative"),
    "short frames": ({"PHOT3_photon_flux": (44, np.zeros((4, 100), np.float32))}, "PHOT3_photon_flux", "8320"),
    "a frame fewer": ({"PHOT3_photon_flux": (44, np.zeros((3, 8320), np.float32))}, "PHOT3_photon_flux", "records"),
    "time back": ({"frame_time_phot": (31, 6.37e13 - 100.0 * np.arange(4))}, "frame_time_phot", "back"),
    "time is not finite": ({"frame_time_phot": (31, np.full(4, np.nan))}, "frame_time_phot", "finite"),
    "time is a number": ({"frame_time_phot": (44, np.zeros(4, np.float32))}, "frame_time_phot", "must be a time"),
    "duplicate frame": ({"frame_number": (8, np.array([1, 2, 2, 3]))}, "frame_number", "duplicates"),
    "number as float": ({"frame_number": (44, np.arange(4, dtype=np.float32))}, "frame_number", "integer"),
    "times for fewer frames": ({"frame_time_phot": (31, 6.37e13 + 100.0 * np.arange(3))}, "frame_time_phot", "4 frames"),
    "some channels' data": ({"PHOT2Data_exists": (1, np.array([1, 1, 0, 1], np.int8))}, "PHOT2Data_exists", "record 2"),
}


@pytest.mark.parametrize("attack", CDF_ATTACKS)
def test_a_bad_cdf_file_is_refused(attack, cdf_file, scene):
    changes, field, reason = CDF_ATTACKS[attack]
    changed_cdf(cdf_file, scene, **changes)
    message = refusal(read_cdf, cdf_file)
    assert message.startswith(f"{field}: ") and reason in message


@pytest.mark.parametrize(("content", "field"), [(b"", "file"), (b"no CDF at all", "CDF"), (b"\xcd\xf3\x00\x01\x00\x00\xff\xff" + b"\x00" * 400, "CDF"),
                                                (b"\xcd\xf3\x00\x01\xcc\xcc\x00\x01" + b"\x00" * 400, "CDF")])
def test_what_is_no_cdf_is_refused(content, field, tmp_path):
    path = tmp_path / "recording.cdf"
    path.write_bytes(content)
    assert refusal(read_cdf, path).startswith(f"{field}: ")


def test_a_huge_sparse_cdf_is_refused_by_its_size(cdf_file):
    os.truncate(cdf_file, 2 << 30)
    assert "split" in refusal(read_cdf, cdf_file)


def cdf_numbers(path):
    """Where a CDF keeps its numbers: bytes of the global record and of its first variable."""
    data = path.read_bytes()
    record = int.from_bytes(data[20:28], "big")
    return data, record, int.from_bytes(data[record + 20 : record + 28], "big")


@pytest.mark.parametrize(("attack", "reason"), [("variables", "variables"), ("dimensions", "dimensions"), ("circle", "circle"), ("outside", "outside"),
                                                ("index", "index"), ("index in a circle", "circle")])
def test_damaged_links_of_a_cdf_are_refused_before_they_are_followed(attack, reason, cdf_file, scene):
    changed_cdf(cdf_file, scene)  # without a checksum
    data, record, variable = cdf_numbers(cdf_file)
    index = int.from_bytes(data[variable + 28 : variable + 36], "big")
    at, size, value = {
        "variables": (record + 60, 4, 1 << 30),
        "dimensions": (variable + 340, 4, 1 << 30),
        "circle": (variable + 12, 8, variable),
        "outside": (variable + 12, 8, 1 << 40),
        "index": (index + 24, 4, 1 << 30),
        "index in a circle": (index + 12, 8, index),
    }[attack]
    cdf_file.write_bytes(data[:at] + value.to_bytes(size, "big") + data[at + size :])
    assert reason in refusal(read_cdf, cdf_file)
