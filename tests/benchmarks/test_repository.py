import shutil
from dataclasses import replace

import pytest

from benchmarks import repository
from benchmarks.arm.emulate import read_fixture
from hw_profiles.profile import FOLDER


def test_every_number_has_its_source_and_a_file_without_one_counts(tmp_path):
    shutil.copy(FOLDER / "gr740.toml", tmp_path)
    [found] = repository.profile_sources(tmp_path).records
    assert found.value == 0 and found.n == 7
    text = (tmp_path / "gr740.toml").read_text()
    (tmp_path / "gr740.toml").write_text(text.replace('status = "assumed"', 'status = ""', 1))
    stage = repository.profile_sources(tmp_path)
    assert stage.records[0].value == 1 and "status" in stage.figures["notes"][0]


def test_a_check_that_takes_a_number_without_its_source_counts(tmp_path, monkeypatch):
    shutil.copy(FOLDER / "gr740.toml", tmp_path)
    monkeypatch.setattr(repository, "_passes", lambda spoiled: True)
    assert repository.profile_sources(tmp_path).records[0].value == 14  # seven numbers, source and status


@pytest.mark.parametrize("different", [0, 7])
def test_bytes_that_differ_between_this_machine_and_emulated_arm(monkeypatch, different):
    monkeypatch.setattr(repository, "identical", lambda fixture: (different, len(fixture.models), fixture.inputs))
    [found] = repository.arm_identical().records
    assert (found.id, found.value, found.how, found.n) == ("arm.identical", different, "emulated", len(read_fixture().models))
    assert replace(found, value=0).source.endswith(")") and "100 inputs" in found.source
