from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmarks import classes, material
from benchmarks.classes import PARTS, compared, f1_of
from benchmarks.material import Material
from edge_runtime.flagging import CLASSES
from tests.bundle_for_tests import make_bundle
from train.windows import WindowSet

BLUE, HITS, LIGHTNING = (CLASSES.index(name) for name in ("blue", "hits", "lightning"))


def truth(windows=400, seed=0):
    return np.random.default_rng(seed).integers(-1, len(CLASSES), windows), np.arange(windows) // 4


def right_and_wrong(label):
    """int8 right on everything, the boosted trees call all blue lightning, the cuts call everything hits."""
    return {"int8": label.copy(), "boosted": np.where(label == BLUE, LIGHTNING, label), "five_way": np.full(label.shape, HITS)}


def by_id(stage):
    return {record.id: record for record in stage.records}


def test_f1_is_scikit_learns():
    rng = np.random.default_rng(1)
    label, told = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    found = [f1_of(label, told, part)(np.arange(300)) for part in PARTS]
    assert found == pytest.approx([f1_score(label, told, average="macro"), *f1_score(label, told, average=None)])
    assert f1_of(label, told, "blue")(np.flatnonzero((label != BLUE) & (told != BLUE))) == 0


def test_a_rival_that_is_wrong_on_blue_is_behind_there_and_nowhere_else():
    label, scene = truth()
    found = by_id(compared(right_and_wrong(label), "boosted", label, scene, 1, ""))
    blue, lightning = (label == BLUE).sum(), (label == LIGHTNING).sum()
    merged = 2 * lightning / (2 * lightning + blue)  # F1 of lightning, that is told all blue
    assert all(found[f"classes.int8.{part}"].value == 1 for part in PARTS)
    assert found["classes.boosted.blue"].value == 0 and found["classes.boosted.lightning"].value == pytest.approx(merged)
    assert found["score.classes.blue"].value == 1 and found["score.classes.hits"].value == found["score.classes.hits"].spread.high == 0
    ahead = found["score.classes"]
    assert ahead.value == pytest.approx((1 + 1 - merged) / 5)
    assert 0.15 < ahead.spread.low < ahead.value < ahead.spread.high
    assert "boosted trees" in ahead.source and ahead.n == (label >= 0).sum()


def test_the_difference_is_to_the_best_rival_and_paired():
    label, scene = truth()
    told = right_and_wrong(label)
    told["five_way"] = told["int8"] = np.where(np.arange(label.size) % 3, label, 0)  # as often wrong, and on the same windows
    found = by_id(compared(told, "five_way", label, scene, 1, ""))
    for part in PARTS:
        same = found["score.classes" if part == "macro" else f"score.classes.{part}"]
        assert same.value == same.spread.low == same.spread.high == 0
        assert found[f"classes.int8.{part}"].spread.low < found[f"classes.int8.{part}"].spread.high


def test_windows_without_a_name_do_not_count():
    label, scene = truth(100)
    other = right_and_wrong(label)
    for told in other.values():
        told[label < 0] = BLUE
    assert [(record.value, record.spread) for record in compared(other, "boosted", label, scene, 1, "").records] == \
           [(record.value, record.spread) for record in compared(right_and_wrong(label), "boosted", label, scene, 1, "").records]


class Fake:
    """Names windows by what the made-up counts say of them: right on `share` of all, or on those alone that it has learned from."""

    def __init__(self, share, split):
        self.share, self.split, self.seen = share, split, None

    def __call__(self, counts, label, seed):
        self.seen = {tuple(row) for row in counts[:, 0, :3]}
        assert {row[0] for row in self.seen} == {self.split}
        return self

    def told(self, counts):
        known = np.array([tuple(row) in self.seen for row in counts[:, 0, :3]])
        right = known if self.share is None else known | (counts[:, 0, 1] % 100 < 100 * self.share)
        return np.where(right, counts[:, 0, 2], 0)


def made_up_windows(split, scenes, seed):
    """First samples of a window: split, place in it, class."""
    label = np.resize(np.arange(len(CLASSES)), scenes * 4)
    counts = np.zeros((label.size, 3, 3), np.uint16)
    counts[:, 0] = np.stack([np.full(label.size, ("train", "calibration").index(split)), np.arange(label.size), label], axis=1)
    return WindowSet(counts, counts, label.astype(np.int8), label, label, np.arange(label.size) // 4)


@pytest.mark.parametrize(("boosted", "cuts", "best"), [(0.6, None, "boosted"), (0.6, 0.5, "boosted"), (0.6, 0.7, "five_way")])
def test_the_best_rival_is_chosen_on_calibration_scenes_that_none_learned_from(monkeypatch, boosted, cuts, best):
    monkeypatch.setattr(classes, "window_set", made_up_windows)
    monkeypatch.setattr(classes, "Boosted", Fake(boosted, 0))
    monkeypatch.setattr(classes, "FiveWay", Fake(cuts, 1))
    rivals, found = classes.fitted(SimpleNamespace(scale="demo", seed=1))
    assert found == best
    assert {name: len(rival.seen) for name, rival in rivals.items()} == {"boosted": 1_600, "five_way": 1_600}


def test_every_cell_of_the_table_has_its_record(tmp_path, monkeypatch):
    for numbers in (classes.TRAIN_SCENES, classes.FIVE_WAY_SCENES, classes.CHOICE_SCENES, material.TEST_SCENES):
        monkeypatch.setitem(numbers, "demo", 64)
    made = Material(None, make_bundle(tmp_path / "bundle"), "demo", 1, tmp_path)
    stage = classes.classes(made)
    table, records = stage.figures["tables"]["classes"], by_id(stage)
    assert len(records) == len(stage.records) and [row["name"] for row in table["rows"]][:3] == list(classes.NAMES.values())
    assert sum(len(row["cells"]) for row in table["rows"]) == len(records) and all(cell in records for row in table["rows"] for cell in row["cells"])
    assert {len(row["cells"]) + 1 for row in table["rows"]} == {len(table["columns"])}
    best = next(name for name, words in classes.NAMES.items() if table["rows"][-1]["name"].endswith(words))
    for cell, own, rival in zip(table["rows"][-1]["cells"], table["rows"][0]["cells"], (f"classes.{best}.{part}" for part in PARTS), strict=True):
        assert records[cell].value == pytest.approx(records[own].value - records[rival].value)
    test = made.test
    assert records["classes.int8.macro"].value == pytest.approx(
        f1_score(test.label[test.label >= 0], made.flight[1].argmax(axis=1)[test.label >= 0], average="macro"))
    assert records["classes.boosted.macro"].value > 0.4
