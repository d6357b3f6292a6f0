import numpy as np
import pytest

from benchmarks.fitting import this_host
from benchmarks.fitting.counted import counted_fit
from benchmarks.fitting.this_host import EACH, KERNELS, LONGER, chosen, judged
from hw_profiles.instructions import TERMS, Tile

TILE = Tile(3, 8, 8)


def latencies(factor=lambda name: 1.0):
    """Seconds of a machine that obeys the model: 0.1 ns for an instruction of the first kernel, 0.02 ns more for each that follows."""
    law = 1e-10 * (1 + 0.2 * np.arange(len(KERNELS)))
    return {name: float(features @ law) * factor(name) for names in chosen() for name, features in zip(names, this_host._features(names, TILE), strict=True)}


def test_every_term_belongs_to_one_kernel():
    assert sorted(term for kernel in KERNELS for term in kernel) == sorted(TERMS)


def test_what_is_tested_is_not_fitted():
    fitted, tested = chosen()
    assert len(fitted) == len(tested) == EACH and not {name.partition(" x")[0] for name in fitted} & {name.partition(" x")[0] for name in tested}
    assert all(5 < sum(name.endswith(f" x{LONGER}") for name in names) < 15 for names in (fitted, tested))


def test_a_machine_that_obeys_the_model_is_told_and_one_that_does_not_is_not():
    told = {record.id: record.value for record in judged(latencies(), TILE).records}
    assert told["model.host"] < 0.05 and told["model.host.models"] >= 15
    tested = chosen()[1]
    spoiled = judged(latencies(lambda name: 2.0 if name in tested[:5] else 1.0), TILE)
    assert next(record.value for record in spoiled.records if record.id == "model.host.p90") == pytest.approx(0.5, abs=0.1)


def test_the_seconds_of_a_fit_are_those_of_the_machine():
    fit = this_host.fit_host(latencies(), TILE)
    counted = counted_fit("cortex-a76").fit.coefficients
    # Loops that many models spend their time in; the others are drawn to the speed of all.
    assert fit.seconds[TERMS.index("product_mac")] == pytest.approx(1.4e-10 * counted[TERMS.index("product_mac")], rel=0.15)
    assert fit.tile == TILE and len(fit.left_out) == len(fit.fitted) and fit.left_out.mean() < 0.1 and set(fit.tested) <= set(chosen()[1])


def test_models_outside_of_the_range_are_left_out():
    slow = chosen()[1][3]
    stage = judged(latencies(lambda name: 1e4 if name == slow else 1.0), TILE)
    assert {record.id: record.value for record in stage.records}["model.host.models"] == len([
        name for name in chosen()[1] if name != slow and this_host.SHORTEST_S <= latencies()[name] <= this_host.LONGEST_S])


@pytest.mark.parametrize(("flags", "tile"), [("sse avx2 fma", TILE), ("avx2 avx512bw", Tile(7, 16, 8)), ("asimd asimddp", Tile(4, 16, 4)),
                                             ("", Tile(4, 16, 1))])
def test_the_tile_is_that_of_the_processors_kernels(tmp_path, monkeypatch, flags, tile):
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}")
    monkeypatch.setattr(this_host, "CPUINFO", tmp_path / "cpuinfo")
    assert this_host.tile_here() == tile


def test_a_machine_on_which_every_model_is_too_short_is_told_so():
    stage = judged(latencies(lambda name: 1e-6), TILE)
    assert stage.records == () and "fewer than two" in stage.figures["notes"][0]
