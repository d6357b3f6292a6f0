"""Sessions left out: what is judged, and a long run that goes on where it was cut off."""

import json
from concurrent.futures import Future

import numpy as np

from benchmarks import kept_jobs
from benchmarks import pixel_sessions as module
from benchmarks.pixel_sessions import CLASSICAL, DEMO, FULL, judged, leave_one_out, together
from benchmarks.pixel_tables import RATES, stage
from tests.benchmarks.folds import NAMES, fold
from train.instruments.minieuso.configuration import SESSIONS
from train.pixels import truth, windows


class Pool:
    """Does at once what it is given, in this process, and remembers the sessions submitted."""

    given: list[int]

    def __init__(self, *_arguments, **_named) -> None:
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_arguments) -> None:
        pass

    def map(self, work, sessions):
        return [work(session) for session in sessions]

    def submit(self, work, session, *rest):
        self.given.append(session)
        future = Future()
        future.set_result(work(session, *rest))
        return future


def networks(session, *rest):
    return fold(session, ("int8", "float_twin"))


def classifiers(session, *rest):
    return {name: value for name, value in fold(session, tuple(CLASSICAL)).items() if name != "operating"}


def test_what_is_done_is_taken_up_and_the_rest_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(kept_jobs, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(module, "_make_windows", lambda kept, seed, effort, session: None)
    monkeypatch.setattr(module, "networks", networks)
    monkeypatch.setattr(module, "classifiers", classifiers)
    kept, done = tmp_path / "kept", {5: networks(6), 9: networks(7)}  # told apart from what is made anew
    kept.mkdir()
    monkeypatch.setattr(kept_jobs, "code_of", lambda module: "code")
    for session, found in done.items():
        (kept / f"session-{session}-networks.json").write_text(json.dumps({"key": f"3 {FULL} code", "found": found}))
    (kept / "session-7-networks.json").write_text(json.dumps({"key": f"4 {FULL} code", "found": networks(8)}))  # of another seed
    Pool.given = []
    made = leave_one_out(kept, 3)
    assert Pool.given == [session for session in SESSIONS for learner in "nc" if not (session in done and learner == "n")]
    assert made == stage({session: together(done.get(session, networks(session)), classifiers(session)) for session in SESSIONS},
                         NAMES, 3)
    Pool.given = []
    assert leave_one_out(kept, 3) == made and Pool.given == []
    leave_one_out(kept, 3, DEMO)
    assert Pool.given == [session for session in SESSIONS for _ in "nc"]  # another effort


def test_windows_to_learn_from_are_made_once_and_read_again_as_they_were(tmp_path, monkeypatch):
    made = []

    def windows_of(session, meteors, others, seed):
        made.append((session, meteors, others, seed))
        rng, n = np.random.default_rng(session), 7
        return windows.PixelWindowSet(rng.integers(-128, 128, (n, 48)).astype(np.int8), rng.integers(0, 9, (n, 48)).astype(np.uint32), np.arange(n) < 3,
                                      np.arange(n, dtype=np.int8), rng.random(n).astype(np.float32), np.full(n, session, np.int8))

    monkeypatch.setattr(module, "pixel_windows", windows_of)
    for _ in range(2):
        module._make_windows(tmp_path, 3, FULL, 5)
    first, again = (module._windows(tmp_path, 3, FULL, 5) for _ in range(2))
    assert made == [(5, FULL.meteors, FULL.others, 3)] and len(list(tmp_path.iterdir())) == 1
    for name, value in vars(windows_of(5, 1, 1, 1)).items():
        for found in (getattr(first, name), getattr(again, name)):
            assert np.array_equal(found, value) and found.dtype == value.dtype
    module._make_windows(tmp_path, 4, FULL, 5)
    module._make_windows(tmp_path, 3, FULL, 6)
    assert made[2:] == [(5, FULL.meteors, FULL.others, 4), (6, FULL.meteors, FULL.others, 3)]


def test_a_session_is_judged_on_its_own_windows(monkeypatch):
    for place in (windows, truth, module):
        monkeypatch.setattr(place, "FILE_FRAMES", 640)
    monkeypatch.setattr(windows, "METEORS", 120)
    monkeypatch.setattr(module, "NAMED", 500)
    monkeypatch.setattr(module, "SLOW", {"blind": 700})

    def middle(codes, counts):
        return np.clip(codes[:, 21:28].sum(axis=1, dtype=np.int64), -128, 127).astype(np.int8)

    effort = module.Effort(0, 0, 40, 100, 2, 2000, 0, 1)
    found = judged(5, {"int8": middle, "blind": lambda codes, counts: np.zeros(len(codes))}, 3, effort)
    assert (found["meteors"], found["others"], sum(found["kinds"])) == (40, 100, 2 * 500)
    assert [one["background"] for one in found["methods"].values()] == [found["windows"], 2 * 700]
    assert 2 * (640 - 47) * 2200 < found["windows"] <= 2 * (640 - 47) * 2304
    own, blind = found["methods"]["int8"], found["methods"]["blind"]
    assert own["auc_stream"] > 0.9 and 0.6 < own["auc"] < 1.0 and (blind["auc"], blind["auc_stream"], blind["recall_1e4"]) == (0.5, 0.5, 0.0)
    assert sum(own["flagged"]) <= 1e-4 * 4000 + 1 and own["recall_1e4"] == found["operating"]["1e4"] / 40 and sum(blind["flagged"]) == 0
    rich = windows.pixel_windows(5, 40, 100, 3 + 1_000)
    score = middle(rich.codes, rich.counts)[:40]
    fpr, recall = (np.array(own[name]) for name in ("fpr", "recall"))
    assert (np.diff(fpr) < 0).all() and (np.diff(recall) <= 0).all() and set(recall.tolist()) <= {float((score > code).mean()) for code in range(-128, 128)}
    for word, rate in RATES.items():
        assert found["operating"][word] / 40 == recall[np.flatnonzero(fpr <= rate)[0]]


def test_a_classifier_with_noise_learns_that_noise_is_none(monkeypatch):
    given = []

    class Learner:
        def fit(self, x, y):
            given.append((x, y))

        def score(self, x):
            return x[:, 0]

    rng = np.random.default_rng(1)
    codes, meteor = rng.integers(-128, 128, (500, 48)).astype(np.int8), np.arange(500) < 50
    learner = module._WithNoise(Learner(), 3)
    learner.fit(codes, meteor)
    [(x, y)] = given
    assert x.shape == ((1 + module.NOISE) * 500, 48) and np.array_equal(x[:500], codes) and np.array_equal(y[:500], meteor) and not y[500:].any()
    # 2 (sqrt(1 + |z|) - 1) / scale of normal z: a median of |code| at |z| = 0.6745.
    assert np.median(np.abs(x[500:])) == round(2 * (np.sqrt(1.6745) - 1) / 0.25) and abs(x[500:].mean()) < 0.06
    assert learner.score(codes).dtype == np.float32
