from itertools import pairwise

import numpy as np
import pytest

from benchmarks import padding as module
from benchmarks.model_score import evidence_bound_2020
from tests.train.tiny2020 import finished, slices


def test_each_way_is_scored_on_the_real_samples_of_the_same_events(tmp_path, monkeypatch):
    run = finished(tmp_path / "run")
    monkeypatch.setitem(module.EVENTS, "demo", 3)
    monkeypatch.setattr(module, "SLICE_SAMPLES", 100)
    asked = []

    def spy(folder, counts, seed, scored):
        asked.append((counts.shape, scored))
        return np.arange(len(counts), dtype=float)

    class Fake:
        configuration = type("C", (), {"model": type("M", (), {"samples": 9 * 8320})})

    monkeypatch.setattr(module, "evidence_bound_2020", spy)
    monkeypatch.setattr("train.run_folder.read_run2020", lambda folder: Fake)
    stage = module.padding(run, run, "demo", 1)
    (whole, lengths), (cut, scored) = asked
    assert whole == (3, 3, 9 * 8320) and set(np.array(lengths) % 8320) == {0}
    assert cut == (sum(length // 100 for length in lengths), 3, 100) and set(scored) == {100}
    value = {record.id: record.value for record in stage.records}
    ends = np.cumsum([0] + [length // 100 for length in lengths])
    assert value["padding.sliced"] == pytest.approx(np.mean([(a + b - 1) / 2 for a, b in pairwise(ends)]))
    assert value["padding.padded"] == 1 and value["padding.difference"] == pytest.approx(value["padding.sliced"] - 1)


def test_what_lies_behind_the_real_samples_has_no_part_in_the_bound(tmp_path):
    run = finished(tmp_path / "run")
    counts = slices(2).counts
    [one, two] = evidence_bound_2020(run, counts, 1, [100, 40])
    alone = evidence_bound_2020(run, counts[:1], 1, [100])
    assert one == pytest.approx(alone[0]) and np.isfinite(two) and two != one
