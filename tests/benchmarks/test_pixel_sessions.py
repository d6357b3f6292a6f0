"""Sessions left out: intervals against scipy's own, differences paired by session, and a long run that goes on where it was cut off."""

import json
from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, ttest_rel

from benchmarks import kept_jobs
from benchmarks import pixel_sessions as module
from benchmarks.pixel_sessions import CLASSICAL, DEMO, FULL, RATES, clopper_pearson, judged, leave_one_out, stage, together
from train.instruments.minieuso.configuration import SESSIONS
from train.pixels import truth, windows
from train.pixels.truth import KINDS

METHODS = ("int8", "float_twin", *CLASSICAL)
# Best classical by AUC is the forest, by recall XGBoost.
AUC = {"int8": 0.95, "float_twin": 0.951, "knn": 0.9, "forest": 0.94, "xgboost": 0.935, "xgboost_curve": 0.8, "xgboost_codes": 0.92, "logistic": 0.85}
RECALL = {"int8": 0.7, "float_twin": 0.71, "knn": 0.2, "forest": 0.5, "xgboost": 0.6, "xgboost_curve": 0.3, "xgboost_codes": 0.55, "logistic": 0.1}


def fold(session, methods=METHODS):
    """What `judged` gives, made by hand."""
    rng = np.random.default_rng(session)
    own = {name: {"auc": AUC[name] + rng.normal(0, 0.01), "auc_stream": AUC[name] + 0.02, "recall_1e4": RECALL[name] + rng.normal(0, 0.02),
                  "flagged": [session, 2, 3, 4, 5, 6, 0], "fpr": [0.0, 1e-3, 1.0], "recall": [0.1, session / 20, 1.0]} for name in methods}
    return {"meteors": 1000, "others": 10_000, "windows": 1_000_000 + session, "subset": 100_000, "kinds": [900, 10 * session, 7, 6, 5, 4, 0], "methods": own,
            "operating": {"1e4": 60 * session, "1e5": 30 * session}, "int8_roc": {"fpr": [0.0, 1e-5, 1.0], "recall": [0.0, session / 20, 1.0]}}


def staged(sessions=tuple(SESSIONS), methods=METHODS):
    found = {session: fold(session, methods) for session in sessions}
    made = stage(found, 3)
    return found, made, {record.id: record for record in made.records}


@given(st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_intervals_of_shares_are_clopper_and_pearsons(drawn):
    hits, n = drawn
    interval = binomtest(hits, n).proportion_ci(method="exact")
    assert clopper_pearson(hits, n) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_means_and_paired_differences_have_students_interval():
    found, _, records = staged()
    of = {field: {name: np.array([one["methods"][name][field] for one in found.values()]) for name in METHODS} for field in ("auc", "recall_1e4")}
    for identity, field, other in (("pixels.int8_vs_float", "auc", "float_twin"), ("pixels.int8_vs_classical", "auc", "forest"),
                                   ("pixels.int8_vs_classical.recall", "recall_1e4", "xgboost")):
        record, expected = records[identity], ttest_rel(of[field]["int8"], of[field][other]).confidence_interval(0.95)
        assert record.value == pytest.approx(float(np.mean(of[field]["int8"] - of[field][other])))
        assert (record.spread.low, record.spread.high) == pytest.approx((expected.low, expected.high))
        assert (record.n, record.seed) == (len(SESSIONS), 3)
    for name in METHODS:
        assert records[f"pixels.auc.{name}"].value == pytest.approx(of["auc"][name].mean())
        assert records[f"pixels.auc_stream.{name}"].value == pytest.approx(AUC[name] + 0.02)


def test_operating_points_are_told_of_each_session_with_their_interval():
    found, made, records = staged()
    for session in found:
        for word, hits in (("1e4", 60 * session), ("1e5", 30 * session)):
            record, interval = records[f"pixels.recall_{word}.session_{session}"], binomtest(hits, 1000).proportion_ci(method="exact")
            assert record.value == hits / 1000 and (record.spread.low, record.spread.high) == pytest.approx((interval.low, interval.high))
    assert records["pixels.recall_1e5.int8"].value == pytest.approx(0.03 * np.mean(list(SESSIONS)))
    assert records["pixels.operating_point"].value == 1_000_000 + min(SESSIONS)
    rows = made.figures["tables"]["operating_points"]["rows"]
    assert len(rows) == len(SESSIONS) + 1 and all(len(row["cells"]) == len(RATES) for row in rows)


def test_tables_name_records_that_are_there():
    for methods in (METHODS, METHODS[:2]):
        _, made, records = staged(methods=methods)
        assert len(records) == len(made.records)
        for table in made.figures["tables"].values():
            for row in table["rows"]:
                assert len(row["cells"]) == len(table["columns"]) - 1
                assert all(cell is None or cell in records for cell in row["cells"])
        names = [row["name"] for row in made.figures["tables"]["pixels"]["rows"]]
        assert len(names) == len(set(names)) == len(methods) + (2 if len(methods) > 2 else 1)


def test_without_classifiers_nothing_is_said_of_them():
    _, made, records = staged((12, 14), METHODS[:2])
    assert not any("classical" in name for name in records) and not {"confusers", "best_classical"} & made.figures.keys()
    assert len(made.figures["pixel_roc"]["curves"]) == 2


def test_one_session_has_no_interval():
    _, _, records = staged((12,), METHODS[:2])
    assert records["pixels.int8_vs_float"].spread is None and records["pixels.recall_1e4.session_12"].spread is not None


def test_curves_begin_where_their_background_ends_and_are_means_at_common_rates():
    found, made, _ = staged()
    int8, twin = made.figures["pixel_roc"]["curves"][:2]
    assert min(int8["fpr"]) == pytest.approx(1e-6, rel=0.13) and min(twin["fpr"]) == pytest.approx(1e-5, rel=0.13)
    middle = np.mean([session / 20 for session in found])
    for curve, step, first in ((int8, 1e-5, 0.0), (twin, 1e-3, 0.1)):
        fpr, recall = np.array(curve["fpr"]), np.array(curve["recall"])
        expected = np.where(fpr >= 1, 1.0, np.where(fpr >= step * 0.999, middle, first))
        assert recall == pytest.approx(expected, abs=1e-5)


def test_confusers_are_summed_over_sessions_for_the_network_and_the_best():
    found, made, _ = staged()
    confusers = made.figures["confusers"]
    assert made.figures["best_classical"] == CLASSICAL["forest"][0]
    assert [row["name"] for row in confusers["rows"]] == ["int8 network", CLASSICAL["forest"][0], CLASSICAL["xgboost"][0]]
    assert confusers["kinds"] == list(KINDS[:-1]) and confusers["rows"][0]["counts"] == [sum(found), *(9 * k for k in (2, 3, 4, 5, 6))]
    assert confusers["windows"][:2] == [9 * 900, 10 * sum(found)]


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
    return {name: value for name, value in fold(session, tuple(CLASSICAL)).items() if name not in ("operating", "int8_roc")}


def test_what_is_done_is_taken_up_and_the_rest_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(kept_jobs, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(module, "_make_windows", lambda kept, seed, effort, session: None)
    monkeypatch.setattr(module, "networks", networks)
    monkeypatch.setattr(module, "classifiers", classifiers)
    kept, done = tmp_path / "kept", {5: networks(6), 9: networks(7)}  # told apart from what is made anew
    kept.mkdir()
    for session, found in done.items():
        (kept / f"session-{session}-networks.json").write_text(json.dumps({"key": f"3 {FULL}", "found": found}))
    (kept / "session-7-networks.json").write_text(json.dumps({"key": f"4 {FULL}", "found": networks(8)}))  # of another seed
    Pool.given = []
    made = leave_one_out(kept, 3)
    assert Pool.given == [session for session in SESSIONS for learner in "nc" if not (session in done and learner == "n")]
    assert made == stage({session: together(done.get(session, networks(session)), classifiers(session)) for session in SESSIONS}, 3)
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
    monkeypatch.setattr(module, "SUBSET", 2000)

    def middle(codes, counts):
        return np.clip(codes[:, 21:28].sum(axis=1, dtype=np.int64), -128, 127).astype(np.int8)

    effort = module.Effort(0, 0, 40, 100, 2, 0, 1)
    found = judged(5, {"int8": middle, "blind": lambda codes, counts: np.zeros(len(codes))}, 3, effort)
    assert (found["meteors"], found["others"], found["subset"], sum(found["kinds"])) == (40, 100, 4000, 4000)
    assert 2 * (640 - 47) * 2200 < found["windows"] <= 2 * (640 - 47) * 2304
    own, blind = found["methods"]["int8"], found["methods"]["blind"]
    assert own["auc_stream"] > 0.9 and 0.6 < own["auc"] < 1.0 and (blind["auc"], blind["auc_stream"], blind["recall_1e4"]) == (0.5, 0.5, 0.0)
    assert sum(own["flagged"]) <= 1e-4 * 4000 + 1 and sum(blind["flagged"]) == 0
    rich = windows.pixel_windows(5, 40, 100, 3 + 1_000)
    score = middle(rich.codes, rich.counts)[:40]
    fpr, recall = (np.array(found["int8_roc"][name]) for name in ("fpr", "recall"))
    assert (np.diff(fpr) < 0).all() and (np.diff(recall) <= 0).all() and set(recall.tolist()) <= {float((score > code).mean()) for code in range(-128, 128)}
    for word, rate in RATES.items():
        assert found["operating"][word] / 40 == recall[np.flatnonzero(fpr <= rate)[0]]
