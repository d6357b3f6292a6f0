import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import seeds
from benchmarks.material import Material
from edge_runtime.errors import InputError, MissingError
from tests.run_for_tests import make_run
from tests.train import tiny
from train.evaluate import answers, paired_bootstrap
from train.run_folder import read_run
from train.windows import balanced_test, window_set

LOSS = {5: 0.0, 6: 0.4, 7: 1.6}  # by seed of training: how much noise the made-up int8 network adds to its float twin's score


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    return [make_run(folder / f"run{seed}", replace(tiny.configuration(), seed=seed)) for seed in LOSS]


def noise(counts, seed):
    return np.random.default_rng(seed).normal(0, 1, len(counts))


def separate(counts):
    """A score that tells light well but not perfectly."""
    return np.log1p(np.sort(counts.astype(float), axis=2)[:, :, -8:].sum(axis=(1, 2)))


@pytest.fixture
def made_up(monkeypatch):
    """Made-up answers, so that what has to come out is known; gives the counts that each run was asked about."""
    asked = {}

    def told(run, kind, counts):
        seed = run.configuration.seed
        asked.setdefault(seed, counts)
        return SimpleNamespace(score=separate(counts) + (LOSS[seed] * noise(counts, seed) if kind == "quantised" else 0))

    def post_training(material):
        logits = np.zeros((len(material.test.counts), 5), np.float32)
        logits[:, 2] = separate(material.test.counts) + noise(material.test.counts, 1)
        return logits

    monkeypatch.setattr(seeds, "answers", told)
    monkeypatch.setattr(seeds, "post_training_logits", post_training)
    monkeypatch.setattr(seeds, "logit_scale", lambda configuration, quantised: 0.1)
    monkeypatch.setattr(seeds, "DRAWS", 200)
    return asked


def material(tmp_path):
    return Material(None, None, "demo", 1, tmp_path)


def by_id(stage):
    return {record.id: record for record in stage.records}


def test_the_mean_over_seeds_has_the_interval_of_the_mean(runs, made_up, tmp_path, monkeypatch):
    monkeypatch.setattr(seeds, "LEAST_WINDOWS", 100)
    stage = seeds.seeds(runs, material(tmp_path))
    found = by_id(stage)
    own = [found[f"int8.seeds.{seed}"] for seed in LOSS]
    assert own[0].value == own[0].spread.low == own[0].spread.high == 0 and own[2].value < own[1].value < 0
    mean = found["int8.seeds"]
    assert mean.value == pytest.approx(np.mean([one.value for one in own]))
    assert mean.spread.low < mean.value < mean.spread.high
    # Drawn apart: the variances of the seeds add, which is less than if the same scenes were drawn in each.
    widths = np.array([one.spread.high - one.spread.low for one in own])
    assert mean.spread.high - mean.spread.low == pytest.approx(np.sqrt((widths**2).sum()) / 3, rel=0.25)
    assert found["int8.seeds.low"].value == mean.spread.low and found["int8.seeds.low"].spread is None
    assert found["int8.seeds.windows"].value == sum(one.n for one in own) == sum(len(counts) for counts in made_up.values()) == mean.n
    posts = [found[f"int8.seeds.post_training.{seed}"].value for seed in LOSS]
    assert max(posts) < 0 and found["int8.seeds.post_training"].value == pytest.approx(np.mean(posts))
    table = stage.figures["tables"]["seeds"]
    assert [row["cells"] for row in table["rows"]] == [*([f"int8.seeds.{seed}", f"int8.seeds.post_training.{seed}"] for seed in LOSS),
                                                       ["int8.seeds", "int8.seeds.post_training"], ["int8.seeds.over_post_training", None],
                                                       ["int8.seeds.windows", None]]
    over = found["int8.seeds.over_post_training"]
    assert over.value == pytest.approx(mean.value - found["int8.seeds.post_training"].value) and over.spread.low <= over.value <= over.spread.high
    assert stage.figures["notes"] == []


def test_every_run_is_judged_on_balanced_windows_of_its_own(runs, made_up, tmp_path):
    seeds.seeds(runs, material(tmp_path))
    for number, counts in enumerate(made_up.values()):
        windows = window_set("test", seeds.SCENES["demo"], 1 + number)
        assert np.array_equal(counts, windows.counts[balanced_test(windows, 1 + number)])


@pytest.mark.parametrize(("number", "least"), [(2, 100), (3, 50_000)])
def test_of_too_few_runs_or_windows_no_mean_is_told(runs, made_up, tmp_path, monkeypatch, number, least):
    monkeypatch.setattr(seeds, "LEAST_WINDOWS", least)
    found = by_id(seeds.seeds(runs[:number], material(tmp_path)))
    for name in ("int8.seeds", "int8.seeds.low", "int8.seeds.post_training", "int8.seeds.over_post_training"):
        assert found[name].value is None and found[name].spread is None
    assert found["int8.seeds.windows"].value > 100 and found["int8.seeds.6"].value < 0


def test_without_tensorflow_its_column_is_empty_and_a_note_says_why(runs, made_up, tmp_path, monkeypatch):
    def missing(material):
        raise MissingError("tensorflow", "module", "is not installed")

    monkeypatch.setattr(seeds, "post_training_logits", missing)
    stage = seeds.seeds(runs, material(tmp_path))
    assert all(row["cells"][1] is None for row in stage.figures["tables"]["seeds"]["rows"])
    assert not any("post_training" in record.id for record in stage.records)
    note, = stage.figures["notes"]
    assert "tensorflow" in note


def test_the_difference_is_that_of_the_paired_bootstrap():
    rng = np.random.default_rng(3)
    scene = np.repeat(np.arange(150), 4)[rng.permutation(600)]
    signal = (rng.random(150) < 0.4)[scene]
    twin = signal + rng.normal(0, 0.6, 600)
    score = np.rint(8 * (twin + rng.normal(0, 0.8, 150)[scene] * signal))  # wrong by scenes, so that windows drawn one by one would claim too much
    found = seeds.difference(score, twin, signal, scene, 1)
    value, low, high = paired_bootstrap(scene, signal, score, twin, 1_000, 2)
    assert found.value == pytest.approx(value) and found.draws.shape == (seeds.DRAWS,)
    assert (found.spread.low, found.spread.high) == pytest.approx((low, high), abs=0.15 * (high - low))


def test_the_runs_own_answers_are_compared(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(seeds, "DRAWS", 20)
    monkeypatch.setattr(seeds, "post_training_logits", lambda material: np.zeros((len(material.test.counts), 5), np.float32))
    found = by_id(seeds.seeds(runs[:1], material(tmp_path)))
    windows = window_set("test", seeds.SCENES["demo"], 1)
    picks, run = balanced_test(windows, 1), read_run(runs[0])
    signal = windows.label[picks] >= 2
    int8, twin = (answers(run, kind, windows.counts[picks]).score for kind in ("quantised", "float_twin"))
    value, _, _ = paired_bootstrap(windows.scene[picks], signal, int8, twin, 1, 1)
    flat, _, _ = paired_bootstrap(windows.scene[picks], signal, np.zeros(picks.size), twin, 1, 1)
    assert value != 0
    assert found["int8.seeds.5"].value == pytest.approx(value) and found["int8.seeds.post_training.5"].value == pytest.approx(flat)


def test_runs_that_share_a_seed_or_differ_in_more_are_refused(runs, tmp_path):
    with pytest.raises(InputError, match=r"configuration\.seed: is 5"):
        seeds.read_runs([*runs, runs[0]])
    other = make_run(tmp_path / "other", replace(tiny.configuration(latent=5), seed=9))
    with pytest.raises(InputError, match=f"{json.dumps(str(runs[0]))[1:-1]} in more than its seed"):
        seeds.read_runs([runs[0], other])
