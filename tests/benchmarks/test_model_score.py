import numpy as np
import pytest
from scipy.stats import poisson

from benchmarks import model_score
from benchmarks.model_score import NAMES, ORDER, _edges, best_widths, left_out, left_out_mean, poisson_nats, told
from edge_runtime.preprocess import WINDOW_SAMPLES
from train.instruments.mmia.flux import count_limit, counts_to_flux
from train.slices2020 import LARGEST_FLUX

WIDTHS = {"337": 5, "uv": 9, "777": 17}


def test_nats_are_the_logarithm_of_poissons_law():
    rng = np.random.default_rng(1)
    rate, counts = rng.uniform(0.01, 30, (4, 50)), rng.poisson(5.0, (4, 50))
    assert poisson_nats(counts, rate) == pytest.approx(poisson.logpmf(counts, rate))


@pytest.mark.parametrize("width", [5, 17])
def test_a_smoother_never_sees_the_sample_it_predicts(width):
    counts = np.random.default_rng(2).poisson(3.0, (2, 80)).astype(np.uint16)
    rate = left_out(counts, width)
    for place in (0, 1, 40, 79):
        changed = counts.copy()
        changed[:, place] += 50
        other = left_out(changed, width)
        assert np.array_equal(other[:, place], rate[:, place])
        assert (other[:, max(0, place - width // 2):place + width // 2 + 1] != rate[:, max(0, place - width // 2):place + width // 2 + 1]).sum() \
            == 2 * (min(79, place + width // 2) - max(0, place - width // 2))
    around = np.delete(counts[0, 40 - width // 2:40 + width // 2 + 1].astype(float), width // 2)
    assert rate[0, 40] == pytest.approx((around.sum() + model_score.PRIOR) / (width - 1 + model_score.PRIOR))


def test_the_mean_of_a_window_leaves_its_sample_out():
    counts = np.random.default_rng(3).poisson(2.0, (1, 3, 2 * WINDOW_SAMPLES)).astype(np.uint16)
    rate = left_out_mean(counts)
    others = np.delete(counts[0, 1, WINDOW_SAMPLES:].astype(float), 7)
    assert rate[0, 1, WINDOW_SAMPLES + 7] == pytest.approx((others.sum() + model_score.PRIOR) / (WINDOW_SAMPLES - 1 + model_score.PRIOR))


def test_the_best_width_is_long_for_steady_light_and_short_for_pulses():
    rng, time = np.random.default_rng(4), np.arange(4_000)
    steady, pulses = np.full(4_000, 2.0), 1 + 30 * np.exp(-0.5 * ((time % 200 - 100) / 6) ** 2)
    counts = rng.poisson(np.stack([steady, pulses, steady])[None]).astype(np.uint16)
    first, second, third = best_widths(counts)
    assert first == third == max(model_score.WIDTHS) and second <= 17


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_every_scaled_flux_belongs_to_the_count_nearest_to_it(channel):
    edges, limit = _edges(channel), count_limit(channel)
    assert len(edges) == limit + 2 and edges[0] == 0 and edges[-1] == 1 and (np.diff(edges) >= 0).all()
    flux = counts_to_flux(np.arange(20), channel) / LARGEST_FLUX
    assert (np.searchsorted(edges, flux, "right") - 1 == np.arange(20)).all()


def made(names=ORDER, **changes):
    rng = np.random.default_rng(5)
    levels = dict(zip(ORDER, (-1.0, -1.1, -1.2, -1.3, -1.4), strict=True)) | changes
    noise = rng.normal(0, 0.3, 80)  # shared: slices are hard or easy for all
    nats = {name: levels[name] + noise + rng.normal(0, 0.02, 80) for name in names}
    stage = told(nats, np.repeat(np.arange(20), 4), WIDTHS, 1)
    return stage, {record.id: record for record in stage.records}


@pytest.mark.parametrize(("changes", "failed"), [({}, 0), ({"smoother": -1.05}, 1), ({"smoother": -1.1, "cvae2020": -0.5}, 2)])
def test_steps_that_fail_are_counted_and_named(changes, failed):
    stage, records = made(**changes)
    assert records["elbo.order"].value == failed
    assert ("smoother" in records["elbo.order"].source) == ("smoother" in changes)
    cells = [row["cells"] for row in stage.figures["tables"]["model_score"]["rows"]]
    assert len(cells) == 5 and cells[0][1] is None and all(cell in records for row in cells for cell in row if cell)


def test_without_the_reports_network_the_order_is_not_claimed():
    stage, records = made(ORDER[:-1])
    assert records["elbo.order"].value is None and "--rival" in records["elbo.order"].source
    assert [row["name"] for row in stage.figures["tables"]["model_score"]["rows"]][1] == NAMES["cvae"]


def test_a_networks_bound_is_below_the_true_rates_likelihood(tmp_path):
    from tests.train import tiny, tiny2020

    counts = np.random.default_rng(6).poisson(1.5, (3, 3, WINDOW_SAMPLES)).astype(np.uint16)
    best = poisson.logpmf(counts, 1.5).mean()
    ours = model_score.evidence_bound(tiny.finished(tmp_path / "run"), counts, 1)
    assert ours.shape == (3,) and (ours < best).all()
    assert np.array_equal(ours, model_score.evidence_bound(tmp_path / "run", counts, 1))
    slices = counts[:, :, :100]
    theirs = model_score.evidence_bound_2020(tiny2020.finished(tmp_path / "report"), slices, 1)
    assert theirs.shape == (3,) and (theirs < best).all() and np.isfinite(theirs).all()
