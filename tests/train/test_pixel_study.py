import json

import numpy as np
import pytest

from edge_runtime.cli import run_verb
from edge_runtime.errors import InputError
from train.instruments.minieuso.configuration import SESSIONS
from train.pixels import study as module
from train.pixels.classifiers import Perceptron, boosted, forest, logistic, neighbours
from train.pixels.curves import LONGEST, Curves
from train.pixels.experiments import SCALES, Scale, experiments
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
    monkeypatch.setitem(SCALES, "demo", Scale(180, 900, 4))


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

    spied = module.Experiment("classical", "t", (module.Method("spy", lambda seed: Spy(), lambda counts: counts.astype(float)),))
    monkeypatch.setattr(module, "experiments", lambda epochs: {"classical": spied})
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


@pytest.mark.parametrize(("change", "field"), [({"scale": "paper"}, "scale"), ({"seed": 2}, "seed"), ({"swapped": True}, "swapped"),
                                               ({"schema_version": 9}, "schema_version"), ({"folds": {"x": 3}}, "folds"), ({"folds": None}, "folds")])
def test_folds_of_another_study_are_refused(easy, tmp_path, change, field):
    Study("demo", 1).run("pair-5-6", tmp_path)
    file = tmp_path / "pair-5-6.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=field):
        Study("demo", 1).run("pair-5-6", tmp_path)


def test_the_set_sizes_are_the_slides_and_one_switch_swaps_them(monkeypatch):
    asked = []
    monkeypatch.setattr(module, "curves", lambda session, meteors, others, seed: asked.append((meteors, others)))
    Study("paper", 1).session(5)
    Study("paper", 1, swapped=True).session(5)
    assert (SCALES["paper"].meteors, SCALES["paper"].others) == (43_896, 537_864) and asked == [(4878, 59_763), (59_763, 4878)]
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
    made = experiments(1)
    assert tuple(made) == EXPERIMENTS
    assert len(made["classical"].methods) == 12 and {method.length for method in made["window"].methods} >= {8, 48, 64}
    names = [method.name for table in made.values() for method in table.methods]
    assert "48-96-32-1" in names and "5-8-8-8-2" in names
    assert all(len({method.name for method in table.methods}) == len(table.methods) for table in made.values())


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
    made = experiments(1)["classical"]
    lines = tuple(method for method in made.methods if method.name in ("logistic regression, scaled curve", "logistic regression, five features"))
    monkeypatch.setattr(module, "experiments", lambda epochs: {"classical": module.Experiment("classical", "t", lines)})
    raw, features = Study("demo", 1).run("classical", tmp_path).rows()
    assert raw["mean"] < 0.85 and features["mean"] > 0.93
