import numpy as np
import pytest

from benchmarks import detection
from benchmarks.detection import Told, Truth
from benchmarks.parity_gates import codes_of
from edge_runtime.flagging import CLASSES


def made_up(windows=1200, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(-1, 5, windows)
    signal, quiet, hits = label >= 2, label == 0, label == 1
    size = min(signal.sum(), quiet.sum(), hits.sum())
    balanced = np.sort(np.concatenate([np.flatnonzero(mask)[:size] for mask in (signal, quiet, hits)]))
    snr = np.where(signal, rng.uniform(5, 60, windows), np.where(label == -1, rng.uniform(0.5, 5, windows), 0))
    truth = Truth(signal, quiet, hits, label, snr, np.arange(windows) // 4, balanced)
    own = np.where(label < 0, 2, label)
    told = Told("detection", "int8 network", np.where(signal, 100, -100) + rng.normal(0, 60, windows), np.where(rng.random(windows) < 0.9, own, 0))
    return truth, told


class Thresholds:
    flag = 0


class Bundle:
    thresholds = Thresholds()


class Made:
    bundle, seed = Bundle(), 1


def test_precision_and_recall_are_those_of_the_balanced_windows():
    truth, told = made_up()
    found = {record.id: record for record in detection.at_threshold(told, truth, Made())}
    flagged, signal = told.score[truth.balanced] > 0, truth.signal[truth.balanced]
    tp, fp, fn, tn = (flagged & signal).sum(), (flagged & ~signal).sum(), (~flagged & signal).sum(), (~flagged & ~signal).sum()
    assert found["score.signal_precision"].value == pytest.approx(tp / (tp + fp)) and found["score.signal_recall"].value == pytest.approx(tp / (tp + fn))
    assert found["score.noise_precision"].value == pytest.approx(tn / (tn + fn)) and found["score.noise_recall"].value == pytest.approx(tn / (tn + fp))
    assert all(record.spread.low <= record.value <= record.spread.high for record in found.values())


def test_a_relative_with_the_same_scores_differs_by_nothing():
    truth, told = made_up()
    twin, rival = Told("float_twin", "twin", told.score), Told("rival.x", "x", -told.score)
    found = {record.id: record for record in detection.differences(told, [twin], [rival], truth, 1)}
    same = found["int8.auc_difference"]
    assert same.value == same.spread.low == same.spread.high == 0
    ahead = found["detection.auc_quiet_over_best_rival"]
    assert ahead.spread.low > 0.5


def test_the_best_rival_is_the_one_compared_with():
    truth, told = made_up()
    rivals = [Told("rival.good", "good", told.score + 0.0), Told("rival.bad", "bad", np.zeros_like(told.score))]
    record, = detection.differences(told, [], rivals, truth, 1)
    assert record.value == 0 and "less good" in record.source


def test_weak_light_is_in_the_efficiency_curve():
    truth, told = made_up()
    found = detection.efficiency(told, 0, [Told("rival.boxcar_clipped", "long name", told.score)], truth)
    assert found["snr"][0] < 5 < found["snr"][-1]
    assert sum(found["curves"][0]["n"]) == ((truth.label == -1) | truth.signal).sum()
    assert found["curves"][1]["name"] == "boxcar clipped, as many false alarms"
    assert found["curves"][1]["efficiency"] == pytest.approx(found["curves"][0]["efficiency"], abs=0.06)


def test_every_cell_of_the_tables_has_its_record():
    truth, told = made_up()
    relatives, rivals = [Told("float_twin", "twin", told.score, told.label)], [Told("rival.x", "x", -told.score)]
    records = [*detection.separation([told, *relatives, *rivals], truth, 1), *detection.differences(told, relatives, rivals, truth, 1)]
    cells = {cell for table in detection.tables(told, relatives, rivals).values() for row in table["rows"] for cell in row["cells"]} - {None}
    assert cells <= {record.id for record in records}


def test_the_map_of_latents_shows_every_class_and_does_not_flip():
    truth, _ = made_up()
    latent = np.random.default_rng(1).integers(-128, 128, (1200, 16)).astype(np.int8)
    latent[:, 3] = np.where(truth.label >= 0, truth.label * 25, 0)
    found = detection.latent_map(latent, truth, 1)
    assert set(found["label"]) == set(range(len(CLASSES))) and len(found["points"]) == len(found["label"])
    again = detection.latent_map(-latent.astype(np.int16), truth, 1)
    assert np.allclose(np.abs(found["points"]), np.abs(again["points"]))
    assert 0 < found["explained"][1] <= found["explained"][0] < 1


def test_codes_on_the_grid_are_found_and_others_refused():
    codes = np.arange(-128, 128)
    scale = float(np.float32(0.0371))
    reals = ((codes - 7) * np.float32(scale)).astype(np.float32)
    assert np.array_equal(codes_of(reals, scale, 7), codes)
    with pytest.raises(ValueError, match="off their grid"):
        codes_of(reals + np.float32(scale / 3), scale, 7)
