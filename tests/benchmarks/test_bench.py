import json

import pytest

from benchmarks import bench
from benchmarks.bench import Step
from benchmarks.material import Material
from benchmarks.results import Record, Stage
from edge_runtime.errors import InputError
from tests.bundle_for_tests import make_bundle
from tests.run_for_tests import make_run


def folder_with(path, name):
    path.mkdir()
    (path / name).write_text("{}")
    return path


def test_targets_are_told_apart(tmp_path):
    run, bundle = folder_with(tmp_path / "run", "configuration.json"), folder_with(tmp_path / "bundle", "manifest.json")
    model = tmp_path / "model.onnx"
    model.write_bytes(b"x")
    targets = bench.sort_targets([model, bundle, run])
    assert (targets.run, targets.bundle, targets.models) == (run, bundle, (model,))


@pytest.mark.parametrize(("names", "reason"), [
    (["nothing"], "does not exist"), (["empty"], "is no run"), (["text.txt"], "is no run"), (["run", "run2"], "second run"),
    (["bundle", "bundle2"], "second bundle"),
])
def test_what_cannot_be_measured_is_refused(tmp_path, names, reason):
    for name in ("run", "run2"):
        folder_with(tmp_path / name, "configuration.json")
    for name in ("bundle", "bundle2"):
        folder_with(tmp_path / name, "manifest.json")
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.txt").write_text("x")
    with pytest.raises(InputError, match=reason):
        bench.sort_targets([tmp_path / name for name in names])


def test_a_bundle_of_another_run_is_refused_before_anything_is_measured(tmp_path):
    run, bundle = make_run(tmp_path / "run"), make_bundle(tmp_path / "bundle")
    with pytest.raises(InputError, match="was not exported from this run"):
        bench.bench([run, bundle], tmp_path / "results.json", "demo", None, 1)
    assert not (tmp_path / "results.json").exists()


def test_a_damaged_run_is_refused_before_anything_is_measured(tmp_path):
    run = make_run(tmp_path / "run")
    (run / "quantised.npz").write_bytes(b"")
    with pytest.raises(InputError, match=r"quantised\.npz"):
        bench.bench([run], tmp_path / "results.json", "demo", None, 1)


def steps(done):
    def one(name):
        def measure():
            done.append(name)
            return Stage((Record(name, 1, "", "measured", "here"),), {"notes": [name]})
        return Step(name, measure, 1)
    return [one("first step"), one("second")]


def test_a_long_run_goes_on_where_it_was_cut_off(tmp_path):
    done, kept = [], tmp_path / "results.stages"

    def cut():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench._measure([steps(done)[0], Step("second", cut, 1)], kept, "key", 5)
    first = kept / "first-step.json"
    first.write_text(json.dumps({**json.loads(first.read_text()), "seconds": 7.5, "date": "the day before"}))
    found, seconds, before = bench._measure(steps(done), kept, "key", 5)
    assert done == ["first step", "second"]
    assert [stage.records[0].id for stage in found] == ["first step", "second"] and all(stage.records[0].seed == 5 for stage in found)
    assert seconds["first step"] == 7.5 and list(seconds) == ["first step", "second"] and before == {"first step": "the day before"}


def test_what_was_kept_for_another_key_is_measured_again(tmp_path):
    done, kept = [], tmp_path / "kept"
    bench._measure(steps(done), kept, "old", 0)
    bench._measure(steps(done), kept, "new", 0)
    assert done == ["first step", "second"] * 2
    assert json.loads((kept / "second.json").read_text())["key"] == "new"


def test_without_a_key_nothing_is_kept(tmp_path):
    bench._measure(steps([]), tmp_path / "kept", "", 0)
    assert list(tmp_path.iterdir()) == []


def test_figures_of_steps_are_joined():
    row = {"name": "a", "cells": ["x"]}
    merged = bench.merged([{"notes": ["1"], "tables": {"runtime": {"columns": ["c"], "rows": [row]}}}, {"latency": 3, "notes": ["2"]},
                           {"tables": {"runtime": {"columns": ["c"], "rows": [row]}, "files": {"columns": [], "rows": []}}}])
    assert merged == {"notes": ["1", "2"], "latency": 3,
                      "tables": {"runtime": {"columns": ["c"], "rows": [row, row]}, "files": {"columns": [], "rows": []}}}


def test_a_bundle_alone_is_not_asked_for_what_only_its_run_can_tell(tmp_path):
    run, bundle = tmp_path / "run", make_bundle(tmp_path / "bundle")
    names = {}
    for targets in (bench.Targets(None, bundle, ()), bench.Targets(run, bundle, ())):
        material = Material(targets.run, targets.bundle, "demo", 1, tmp_path)
        names[targets.run is None] = [step.name for step in bench.steps(targets, material, None, bench.Beside(), "demo", 1)]
    assert "boards" in names[True] and "compression" not in names[True] and set(names[False]) - set(names[True]) == {"compression", "refusals"}
