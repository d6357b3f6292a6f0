import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.errors import InputError
from tests.train import tiny
from train import run_folder

RESULTS = run_folder.results_of(tiny.configuration())


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    return tiny.finished(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture
def run(sealed, tmp_path):
    return shutil.copytree(sealed, tmp_path / "run")


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def test_a_finished_run_is_read_back(sealed):
    found = run_folder.read_run(sealed)
    assert found.configuration == tiny.configuration()
    assert found.calibration["thresholds"]["flag"] == 10
    assert len(found.history) == 6


def test_arrays_come_back_and_equal_arrays_give_equal_bytes(tmp_path):
    arrays = {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.array(2.5, np.float32), "text": np.frombuffer(b"{}", np.uint8)}
    run_folder.write_arrays(tmp_path / "a.npz", arrays)
    run_folder.write_arrays(tmp_path / "b.npz", arrays)
    found = run_folder.read_arrays(tmp_path / "a.npz")
    assert found.keys() == arrays.keys() and all(np.array_equal(found[name], arrays[name]) and found[name].shape == arrays[name].shape for name in arrays)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("name", [*RESULTS, "checksums.json"])
def test_a_file_that_is_missing_is_named(run, name):
    (run / name).unlink()
    with pytest.raises(InputError, match=name):
        run_folder.read_run(run)


@given(data=st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_changed_anywhere_is_found(sealed, tmp_path, data):
    folder = tmp_path / "run"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sealed, folder)
    path = folder / data.draw(st.sampled_from(RESULTS))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    with pytest.raises(InputError):
        run_folder.read_run(folder)


@given(st.integers(0, 10_000), st.integers(0, 7))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_arrays_without_checksums_beside_them_prove_themselves(tmp_path, place, bit):
    arrays = {"weights": np.linspace(0, 1, 50, dtype=np.float32), "place": np.frombuffer(b'{"epoch": 3}', np.uint8)}
    run_folder.write_arrays(tmp_path / "a.npz", arrays)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[place % len(content)] ^= 1 << bit
    (tmp_path / "a.npz").write_bytes(content)
    try:  # a zip holds bytes that say nothing, such as times: what is read is the truth, or nothing is read
        found = run_folder.read_arrays(tmp_path / "a.npz")
    except InputError:
        return
    assert found.keys() == arrays.keys() and all(np.array_equal(found[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize(("change", "field"), [
    (lambda d: d.update(schema_version=2), "schema_version"),
    (lambda d: d.update(schema_version="1"), "schema_version"),
    (lambda d: d.update(task="solar"), "task"),
    (lambda d: d.pop("configuration"), "configuration"),
    (lambda d: d["configuration"]["model"].update(latent=2.5), "model.latent"),
    (lambda d: d["configuration"]["model"].update(latnet=2), "latent"),
    (lambda d: d.update(versions=[1]), "versions"),
])
def test_a_run_that_says_something_else_about_itself_is_refused_with_the_field(run, change, field):
    edit(run / "configuration.json", change)
    with pytest.raises(InputError, match=rf"configuration\.json: .*{field}"):
        run_folder.read_run(run)


def reseal(run, name, change):
    arrays = run_folder.read_arrays(run / name)
    change(arrays)
    run_folder.write_arrays(run / name, arrays)
    run_folder.write_checksums(run)


@pytest.mark.parametrize(("change", "field"), [
    (lambda a: a.pop("encoder.mean.0.bias"), "encoder.mean.0.bias"),
    (lambda a: a.update(extra=np.zeros(2, np.float32)), "extra"),
    (lambda a: a.update({"encoder.mean.0.bias": np.zeros(7, np.float32)}), "encoder.mean.0.bias"),
    (lambda a: a.update({"encoder.mean.0.bias": np.zeros(3, np.float64)}), "encoder.mean.0.bias"),
    (lambda a: a.update({"encoder.mean.0.bias": np.full(3, np.nan, np.float32)}), "encoder.mean.0.bias"),
    (lambda a: a.update({"encoder.mean.1.range_log2": np.array(-99, np.float32)}), "encoder.mean.1.range_log2"),
])
def test_arrays_that_do_not_fit_the_configuration_are_refused_by_name(run, change, field):
    reseal(run, "quantised.npz", change)
    with pytest.raises(InputError, match=rf"quantised\.npz: {field}"):
        run_folder.read_run(run)


def test_what_is_no_run_is_not_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="not ours"):
        run_folder.start_run(tmp_path / "mine", tiny.configuration(), {})
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_run_is_not_overwritten_without_resume(run):
    with pytest.raises(InputError, match="--resume"):
        run_folder.start_run(run, replace(tiny.configuration(), seed=9), {})


@pytest.mark.parametrize("make", [lambda p: p.write_text("x"), lambda p: p.symlink_to(p.parent / "nowhere")])
def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path, make):
    make(tmp_path / "run")
    with pytest.raises(InputError):
        run_folder.start_run(tmp_path / "run", tiny.configuration(), {})
