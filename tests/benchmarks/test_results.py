import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import results as module
from benchmarks.gates import claims_of, judge
from benchmarks.results import (
    TASKS,
    Gate,
    Record,
    Results,
    Spread,
    Stage,
    read_results,
    stage_from_document,
    stage_to_document,
    to_document,
    write_results,
)
from edge_runtime.errors import InputError

KEPT = Path(module.__file__).parent / "results"
NUMBERS = st.one_of(st.integers(-2**53, 2**53), st.floats(allow_nan=False, allow_infinity=False))
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
SPREADS = st.tuples(NUMBERS, NUMBERS, TEXT).map(lambda three: Spread(min(three[:2]), max(three[:2]), three[2]))
RECORDS = st.lists(st.builds(Record, TEXT, st.none() | NUMBERS, TEXT, st.sampled_from(("measured", "emulated", "modelled", "published")), TEXT,
                             st.none() | SPREADS, st.none() | st.integers(0, 10**9), st.none() | st.integers(0, 2**32), TEXT),
                   max_size=4, unique_by=lambda record: record.id)


@given(RECORDS, NUMBERS, st.sampled_from(TASKS))
def test_what_is_written_is_read_back(tmp_path_factory, records, bound, task):
    path = tmp_path_factory.mktemp("results") / "results.json"
    results = Results("demo", 1, "today", {"cpu": None}, tuple(records), (Gate("a", None, "<=", bound, None),), {"latents": {"points": [[1.5, 2]]}}, task)
    write_results(results, path)
    assert read_results(path) == results


def test_a_stage_survives_its_json_form(tmp_path):
    stage = Stage((Record("a", 1.5, "µs", "measured", "here", Spread(1, 2, "95 %"), 3, 4, "test"),), {"tables": {}})
    assert stage_from_document(json.loads(json.dumps(stage_to_document(stage))), tmp_path) == stage


def test_a_stage_gives_its_seed_to_records_without_one():
    stage = Stage((Record("a", 1, "", "measured", ""), Record("b", 1, "", "measured", "", seed=7))).on_seed(3)
    assert [record.seed for record in stage.records] == [3, 7]


@pytest.mark.parametrize(("change", "field"), [
    (lambda document: document.update(schema_version=2), "schema_version"),
    (lambda document: document.update(schema_version="1"), "schema_version"),
    (lambda document: document.pop("schema_version"), "schema_version"),
    (lambda document: document.update(seed=1.5), "seed"),
    (lambda document: document.update(task="mini-euso"), "task"),
    (lambda document: document.update(task=None), "task"),
    (lambda document: document.update(records={}), "records"),
    (lambda document: document["records"].append(3), "records["),
    (lambda document: document["records"][0].update(how="guessed"), "records[0].how"),
    (lambda document: document["records"][0].update(value="12"), "records[0].value"),
    (lambda document: document["records"][0].update(value=True), "records[0].value"),
    (lambda document: document["records"][0].update(value=float("nan")), "JSON"),
    (lambda document: document["records"][0].update(value=1 << 80), "records[0].value"),
    (lambda document: document["records"][0].pop("source"), "records[0].source"),
    (lambda document: document["records"][0].update(spread={"low": 2, "high": 1, "what": ""}), "records[0].spread.low"),
    (lambda document: document["records"].append(document["records"][0]), "records"),
    (lambda document: document["gates"][0].update(op="~"), "gates[0].op"),
    (lambda document: document["gates"][0].update(holds="yes"), "gates[0].holds"),
    (lambda document: document["gates"][0].update(bound=None), "gates[0].bound"),
    (lambda document: document["figures"]["latency"].update(levels=["1e999"]), "figures.latency.levels[0]"),
])
def test_a_malformed_file_is_refused_naming_the_field(tmp_path, results, change, field):
    document = json.loads(json.dumps(to_document(results)))
    change(document)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(document).replace('"1e999"', "1e999"))  # a number that JSON knows and a float does not
    with pytest.raises(InputError) as refusal:
        read_results(path)
    assert f"{path}: {field}" in str(refusal.value)


def test_a_file_without_a_task_is_of_mmia(tmp_path, results):
    document = to_document(replace(results, task="minieuso"))
    del document["task"]
    path = tmp_path / "results.json"
    path.write_text(json.dumps(document))
    assert read_results(path) == replace(results, task="mmia")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": 1}', '{"schema_version": 1e400}'])
def test_what_is_no_results_file_is_refused(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError):
        read_results(path)


def test_a_defect_of_ours_leaves_the_old_file(tmp_path, results):
    path = tmp_path / "results.json"
    write_results(results, path)
    before = path.read_bytes()
    for broken in (replace(results, records=results.records * 2), replace(results, figures={"x": float("nan")}),
                   replace(results, figures={"x": "y" * 3_000_000})):
        with pytest.raises(ValueError):
            write_results(broken, path)
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("path", sorted(KEPT.glob("*.json")), ids=lambda path: path.stem)
def test_a_results_file_of_the_repository_is_judged_by_todays_claims(path):
    """One that claims have left behind is made again."""
    kept = read_results(path)
    assert kept.scale == "full" and kept.task == path.stem and kept.environment["cpu"] and kept.environment["date"].startswith("20")
    assert kept.gates == judge(kept.records, claims_of(kept.task, "full"))
    assert "/tmp/" not in path.read_text()


def test_the_repository_has_the_photometers_results():
    assert (KEPT / "mmia.json").is_file()
