import pytest

from benchmarks import hard_scenes
from benchmarks.hard_windows import KINDS
from benchmarks.material import Material
from tests.bundle_for_tests import make_bundle


def test_every_kind_has_its_recall_with_interval_beside_the_cuts(tmp_path, monkeypatch):
    monkeypatch.setitem(hard_scenes.NUMBER, "demo", 12)
    stage = hard_scenes.hard_scenes(Material(None, make_bundle(tmp_path / "bundle"), "demo", 1, tmp_path))
    records = {record.id: record for record in stage.records}
    table = stage.figures["tables"]["hard"]
    assert [row["name"].split(":")[0] for row in table["rows"]] == [hard.words for hard in KINDS.values()]
    for kind, row in zip(KINDS, table["rows"], strict=True):
        assert len(row["cells"]) == len(table["columns"]) - 1 and all(cell in records for cell in row["cells"])
        bins = [records[cell] for cell in row["cells"][3:]]
        whole = records[f"hard.{kind}"]
        assert sum(one.n for one in bins) == whole.n == 12
        assert sum((one.value or 0) * one.n for one in bins) == pytest.approx(whole.value * 12)
        assert whole.spread.low <= whole.value <= whole.spread.high
