import json

import numpy as np
import pytest

from edge_runtime.cli import run_verb
from edge_runtime.errors import InputError
from train.instruments.minieuso.configuration import SESSIONS
from train.pixels import study as module
from train.pixels.classifiers import Perceptron, boosted, forest, logistic, neighbours
from train.pixels.curves import LONGEST, Curves
from train.pixels.experiments import SCALES, SLIDES_BY_SESSION, Scale, all_pixels, experiments, of_curves, pixels_in_chunks
from train.pixels.features import five_features
from train.pixels.stacks import Stacks
from train.pixels.study import Study
from train.study_verb import EXPERIMENTS, STUDY


def easy_curves(session, meteors, others, seed):
    """Pulses on flat noise, quickly made; the level tells the session."""
    rng = np.random.default_rng([session, seed])
    meteor = np.arange(meteors + others) < meteors
    wide = rng.poisson(1000 * session, (len(meteor), 2 * LONGEST))
    wide[meteor] += rng.poisson(600 * np.exp(-0.5 * (np.arange(-LONGEST, LONGEST) / 3) ** 2), (meteors, 2 * LONGEST))
    place = np.where(meteor, rng.random(len(meteor)), 0.5).astype(np.float32)
    return Curves(wide.astype(np.uint32), place, meteor, meteor.astype(np.int8), meteor.astype(np.float32), np.where(meteor, 1, -1).astype(np.int32))


@pytest.fixture
def easy(monkeypatch):
    monkeypatch.setattr(module, "curves", easy_curves)
    monkeypatch.setitem(SCALES, "demo", Scale(180, 900, 4, 0, 0))


def test_a_table_has_every_session_mean_spread_and_the_slides(easy, tmp_path):
    table = Study("demo", 1).run("features", tmp_path)
    for row in table.rows():
        assert list(row["auc"]) == [str(session) for session in SESSIONS]
        assert row["mean"] == pytest.approx(np.mean(list(row["auc"].values())), abs=1e-4)
        assert row["spread"] == pytest.approx(np.std(list(row["auc"].values()), ddof=1), abs=2e-4)
        assert row["mean"] > 0.8
    assert table.rows()[-1]["slides"] == 0.960 and "0.9600" in table.text() and all(f"{session:>5}" in table.text() for session in SESSIONS)


def test_no_classifier_sees_the_session_it_is_judged_on(easy, tmp_path, monkeypatch):
    seen = []

    class Spy:
        def fit(self, x, y):
            seen.append([set(np.rint(np.median(x, axis=1) / 1000).astype(int))])

        def score(self, x):
            seen[-1].append(set(np.rint(np.median(x, axis=1) / 1000).astype(int)))
            return np.zeros(len(x))

    spied = module.Experiment("classical", "t", (module.Method("spy", lambda seed: Spy(), of_curves(lambda counts: counts.astype(float))),))
    monkeypatch.setattr(module, "experiments", lambda scale: {"classical": spied})
    table = Study("demo", 1).run("classical", tmp_path)
    assert [judged for _, judged in seen] == [{session} for session in SESSIONS]
    assert all(learned == set(SESSIONS) - judged for learned, judged in seen)
    assert table.rows()[0]["mean"] == 0.5  # scores that say nothing


def test_an_interrupted_study_goes_on_and_ends_as_an_uninterrupted_one(easy, tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    whole = Study("demo", 1).run("pair-5-6", tmp_path / "a")
    runs, kept = [], Study._fold

    def interrupted(self, *arguments):
        if len(runs) == 1:
            raise KeyboardInterrupt
        runs.append(arguments)
        return kept(self, *arguments)

    monkeypatch.setattr(Study, "_fold", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Study("demo", 1).run("pair-5-6", tmp_path / "b")
    monkeypatch.setattr(Study, "_fold", lambda self, *arguments: runs.append(arguments) or kept(self, *arguments))
    resumed = Study("demo", 1).run("pair-5-6", tmp_path / "b")
    assert len(runs) == 2 and [row["auc"] for row in resumed.rows()] == [row["auc"] for row in whole.rows()]


def test_the_slides_figures_by_session_stand_under_their_methods_and_have_the_mean_they_print():
    means = {method.name: method.slides for method in experiments(SCALES["demo"])["classical"].methods}
    for name, aucs in SLIDES_BY_SESSION.items():
        assert len(aucs) == len(SESSIONS) and np.mean(aucs) == pytest.approx(means[name], abs=6e-4)


def test_folds_of_other_code_are_made_anew_and_never_reported(easy, tmp_path):
    study = Study("demo", 1)
    first = study.run("pair-5-6", tmp_path)
    file = tmp_path / "pair-5-6.json"
    assert [row["auc"] for row in module.kept_tables(tmp_path)[0].rows()] == [row["auc"] for row in first.rows()]
    document = json.loads(file.read_text())
    for folds in document["folds"].values():
        folds["6"]["auc"] = 0.9999
    file.write_text(json.dumps(document | {"code": "older"}))
    with pytest.raises(InputError, match="code: is not today's"):
        module.kept_tables(tmp_path)
    assert [row["auc"] for row in study.run("pair-5-6", tmp_path).rows()] == [row["auc"] for row in first.rows()]


@pytest.mark.parametrize(("change", "field"), [({"scale": "paper"}, "scale"), ({"seed": 2}, "seed"), ({"swapped": True}, "swapped"),
                                               ({"schema_version": 9}, "schema_version"), ({"folds": {"x": 3}}, "folds"), ({"folds": None}, "folds"),
                                               ({"folds": {"5-16-2": {"5": {"auc": "0.9", "recall_1e3": 0.1, "seconds": 1.0}}}}, "folds"),
                                               ({"folds": {"5-16-2": {"5": {"auc": float("nan"), "recall_1e3": 0.1, "seconds": 1.0}}}}, "folds")])
def test_folds_of_another_study_are_refused(easy, tmp_path, change, field):
    Study("demo", 1).run("pair-5-6", tmp_path)
    file = tmp_path / "pair-5-6.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=field):
        Study("demo", 1).run("pair-5-6", tmp_path)


def test_the_set_sizes_are_the_slides_and_one_switch_swaps_them(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "curves", lambda session, meteors, others, seed: asked.append((meteors, others)))
    paper, swapped = Study("paper", 1), Study("paper", 1, swapped=True)
    for session in SESSIONS:
        paper.session(session)
    assert np.sum(asked, axis=0).tolist() == [43_896, 537_864] and asked[0] == (4878, 59_763) and asked[-1] == (4877, 59_762)
    swapped.session(5)
    assert asked[-1] == (59_763, 4878)
    assert SCALES["middle"].meteors + SCALES["middle"].others == 60_000


@pytest.mark.parametrize("make", [logistic, neighbours, forest, boosted, lambda seed: Perceptron((5, 8, 1), 20, seed),
                                  lambda seed: Perceptron((5, 8, 2), 20, seed)])
def test_every_classifier_learns_and_repeats_itself(make):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6000, 5)).astype(np.float32), np.arange(6000) < 2000
    x[y, 2] += 3
    scores = []
    for _ in range(2):
        classifier = make(1)
        classifier.fit(x, y)
        scores.append(classifier.score(x))
    assert np.array_equal(*scores) and scores[0][y].mean() > scores[0][~y].mean() + 0.3 and scores[0].shape == (6000,)


def test_the_study_has_its_experiments_and_the_network_of_the_slides():
    made = experiments(SCALES["demo"])
    assert tuple(made) == EXPERIMENTS
    assert len(made["classical"].methods) == 12
    for method, length in zip(made["window"].methods, (8, 16, 24, 32, 40, 48, 56, 64), strict=True):
        assert method.view(easy_curves(5, 2, 3, 1))[0].shape == (5, length)
    names = [method.name for table in made.values() for method in table.methods]
    assert "48-96-32-1" in names and "5-8-8-8-2" in names
    assert all(len({method.name for method in table.methods}) == len(table.methods) for table in made.values())


def easy_stacks(session, meteors, others, seed):
    """Chunks with a pulse in one pixel, or without; a dead pixel in each."""
    rng = np.random.default_rng([session, seed])
    k = meteors + others
    counts, pixels = rng.poisson(1000, (k, 48, 8, 8)), np.zeros((k, 64), np.int8)
    pulse = 400 * np.exp(-0.5 * ((np.arange(48) - 24) / 3) ** 2)
    for which in range(meteors):
        row, column = rng.integers(1, 8, 2)
        counts[which, :, row, column] += rng.poisson(pulse)
        pixels[which, 8 * row + column] = 1
    counts[:, :, 0, 0], pixels[:, 0] = 0, -1
    return Stacks(counts.astype(np.uint32), np.arange(k) < meteors, pixels)


@pytest.fixture
def easy_chunks(easy, monkeypatch):
    monkeypatch.setattr(module, "chunk_stacks", easy_stacks)
    monkeypatch.setitem(SCALES, "demo", Scale(180, 900, 6, 80, 0, (9, 14)))


def test_both_ways_to_the_pixels_judge_the_same_pixels(easy_chunks, tmp_path):
    stacks = Study("demo", 1).session(9, "chunks")
    in_chunks, alone = pixels_in_chunks(stacks)[1], all_pixels(stacks)[1]
    assert np.array_equal(in_chunks[in_chunks >= 0] == 1, alone) and alone.sum() == 20
    table = Study("demo", 1).run("two-stage", tmp_path)
    staged, single = table.rows()
    assert table.sessions == (9, 14) and list(staged["auc"]) == ["9", "14"]
    assert staged["mean"] > 0.9 and single["mean"] > 0.9 and staged["mean"] != single["mean"]


def test_a_session_that_a_method_is_not_judged_on_has_a_dash(easy, tmp_path, monkeypatch):
    methods = (module.Method("few", logistic, of_curves(five_features), sessions=(9,)), module.Method("all", logistic, of_curves(five_features)))
    monkeypatch.setattr(module, "experiments", lambda scale: {"features": module.Experiment("features", "t", methods)})
    table = Study("demo", 1).run("features", tmp_path)
    few = next(line for line in table.text().splitlines() if line.startswith("few"))
    assert table.sessions == tuple(SESSIONS) and table.rows()[0]["auc"].keys() == {"9"} and few.split()[1:6].count("-") == 4
    assert few.split()[5] == f"{table.fold(methods[0], 9).auc:.3f}" and table.rows()[0]["spread"] is None


def test_what_meteors_taught_is_judged_on_showers(easy, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(Study, "session", lambda self, number, what="curves": asked.append((what, number)) or easy_curves(number, 30, 90, 1))
    made = experiments(SCALES["demo"])["air-showers"]
    pair = tuple(method for method in made.methods if method.name.startswith("logistic"))
    assert [method.learns for method in pair] == ["curves", "showers"] and len({method.make for method in made.methods}) >= 5
    monkeypatch.setattr(module, "experiments", lambda scale: {"air-showers": module.Experiment("air-showers", "t", pair)})
    Study("demo", 1).run("air-showers", tmp_path)
    folds = [asked[k:k + len(SESSIONS)] for k in range(0, len(asked), len(SESSIONS))]
    assert len(folds) == 2 * len(SESSIONS)
    for k, fold in enumerate(folds):
        left_out = tuple(SESSIONS)[k % len(SESSIONS)]
        assert fold[-1] == ("showers", left_out)
        assert fold[:-1] == [("curves" if k < len(SESSIONS) else "showers", session) for session in SESSIONS if session != left_out]


def test_every_second_whole_frame_and_every_fourth_chunk_has_a_meteor(monkeypatch):
    asked = {}
    for name in ("chunk_stacks", "frame_stacks", "showers"):
        monkeypatch.setattr(module, name, lambda session, meteors, others, seed, name=name: asked.setdefault(name, (session, meteors, others, seed)))
    for what in ("chunks", "frames", "showers"):
        Study("middle", 3).session(5, what)
    assert asked == {"chunk_stacks": (5, 125, 375, 3), "frame_stacks": (5, 50, 50, 3), "showers": (5, 503, 6164, 3)}


def pixie(*words):
    return run_verb("pixie", {"study": STUDY}, ["study", *map(str, words)])


def test_the_verb_prints_its_table(easy, tmp_path, capsys):
    assert pixie("minieuso", "pair-5-6", "--out", tmp_path / "s", "--json") == 0
    [table] = json.loads(capsys.readouterr().out)["tables"]
    assert table["experiment"] == "pair-5-6" and [list(row["auc"]) for row in table["rows"]] == [["6"], ["6"]] and table["rows"][0]["slides"] == 0.9698


@pytest.mark.parametrize(("words", "reason"), [(("minieuso", "magic"), "EXPERIMENT"), (("mmia", "classical"), "minieuso"),
                                               (("minieuso", "classical", "--seed", -1), "--seed"), (("minieuso", "classical", "--scale", "huge"), "--scale")])
def test_bad_usage(words, reason, tmp_path, capsys):
    assert pixie(*words, "--out", tmp_path / "s") == 2
    assert reason in capsys.readouterr().err and not (tmp_path / "s").exists()


def test_a_file_in_the_place_of_the_folder(tmp_path, capsys):
    (tmp_path / "s").write_text("")
    assert pixie("minieuso", "features", "--out", tmp_path / "s") == 2
    assert "--out" in capsys.readouterr().err


def test_the_simulator_is_hard_for_a_line_and_easy_for_five_features(tmp_path, monkeypatch):
    """The two checks of the simulator: the study's slides have 0.737 and 0.956."""
    made = experiments(SCALES["demo"])["classical"]
    lines = tuple(method for method in made.methods if method.name in ("logistic regression, scaled curve", "logistic regression, five features"))
    monkeypatch.setattr(module, "experiments", lambda scale: {"classical": module.Experiment("classical", "t", lines)})
    raw, features = Study("demo", 1).run("classical", tmp_path).rows()
    assert raw["mean"] < 0.85 and features["mean"] > 0.93


def test_side_by_side_keeps_the_same_folds_as_one_after_the_other(tmp_path):
    module.run_side_by_side(Study("demo", 1), ("pair-5-6",), tmp_path)
    kept = json.loads((tmp_path / "pair-5-6.json").read_text())["folds"]
    (tmp_path / "alone").mkdir()
    alone = Study("demo", 1).run("pair-5-6", tmp_path / "alone").to_document()["folds"]
    assert {name: fold["6"]["auc"] for name, fold in kept.items()} == {name: fold["6"]["auc"] for name, fold in alone.items()}
