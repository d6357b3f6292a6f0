import shutil

import pytest

from benchmarks.fitting import profiles
from benchmarks.fitting.profiles import fitted, stale, write
from benchmarks.fitting.stage import fitting
from benchmarks.fitting.verb import FIT
from edge_runtime.cli import run_verb
from hw_profiles.profile import FOLDER, stated


@pytest.fixture(scope="module")
def numbers():
    return fitted()


def test_the_profiles_say_what_the_fits_say(numbers):
    assert stale(numbers) == []


def test_every_fitted_number_says_so_and_names_what_it_rests_on(numbers):
    for stem, own in numbers.items():
        for name, number in own.items():
            assert number.status == "fitted" and number.n and ("published.toml" in number.source or "counted.json" in number.source
                                                               or "told this well" in number.source), (stem, name)


def test_numbers_that_are_written_are_found_and_others_are_told(tmp_path, monkeypatch, numbers):
    for file in FOLDER.glob("*.toml"):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(profiles, "FOLDER", tmp_path)
    file = tmp_path / "cortex-m4.toml"
    before = file.read_text()
    value = stated(file).numbers["cycles_per_mac"].value
    file.write_text(before.replace(f"value = {value}", "value = 99"))
    assert [line.split(" is ")[0] for line in stale(numbers)] == ["cortex-m4: cycles_per_mac"]
    spread = next(line for line in before.splitlines() if line.startswith("spread"))
    for changed in (before.replace(spread, "", 1), before.replace(spread, f"{spread}\nrange = [0.1, 99]", 1), before.replace("\nn = 2\n", "\nn = 99\n", 1)):
        file.write_text(changed)
        assert "cortex-m4: cycles_per_mac" in [line.split(" is ")[0] for line in stale(numbers)]
    write(numbers)
    assert file.read_text() == before and stale(numbers) == []


def test_the_verb_tells_the_records_and_whether_profiles_are_stale(capsys, monkeypatch):
    assert run_verb("pixie", {"fit": FIT}, ["fit", "--check"]) == 0
    text = capsys.readouterr().out
    assert "model.held_out.coverage" in text and text.rstrip().endswith("are as the fits say")
    monkeypatch.setattr(profiles, "stale", lambda numbers: ["cortex-m4: cycles_per_mac is 1, the fit says 2"])
    assert run_verb("pixie", {"fit": FIT}, ["fit", "--check"]) == 1


def test_every_cell_of_the_tables_has_its_record():
    stage = fitting()
    ids = {record.id for record in stage.records}
    assert len(ids) == len(stage.records)
    assert {cell for table in stage.figures["tables"].values() for row in table["rows"] for cell in row["cells"]} <= ids
    by_id = {record.id: record for record in stage.records}
    covered = by_id["model.held_out.coverage"]
    assert bool(by_id["model.held_out"].value) == (covered.spread.low <= 0.8 <= covered.spread.high)
