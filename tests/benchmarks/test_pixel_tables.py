"""Tables of the sessions: intervals against scipy's own, differences paired by session, curves at common rates."""

import numpy as np
import pytest
from scipy.stats import binomtest, ttest_rel

from benchmarks.pixel_tables import RATES, stage
from tests.benchmarks.folds import AUC, METHODS, NAMES, fold
from train.instruments.minieuso.configuration import SESSIONS
from train.pixels.truth import KINDS


def staged(sessions=tuple(SESSIONS), methods=METHODS):
    found = {session: fold(session, methods) for session in sessions}
    made = stage(found, NAMES, 3)
    return found, made, {record.id: record for record in made.records}


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
    assert not any("classical" in name for name in records) and "best_classical" not in made.figures
    assert [row["name"] for row in made.figures["confusers"]["rows"]] == ["int8 network", "its float twin"]
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
    assert made.figures["best_classical"] == NAMES["forest"]
    assert [row["name"] for row in confusers["rows"]] == ["int8 network", NAMES["forest"], NAMES["xgboost"]]
    assert confusers["kinds"] == list(KINDS[:-1]) and confusers["rows"][0]["counts"] == [sum(found), *(9 * k for k in (2, 3, 4, 5, 6))]
    assert confusers["windows"][:2] == [9 * 900, 10 * sum(found)]
