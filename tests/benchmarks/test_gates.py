import pytest

from benchmarks.gates import CLAIMS, COMPARE, fall_short, judge, lines, verdict
from benchmarks.results import Record, Spread

# The bounds as they were agreed, written a second time: a change of either side must be a decision.
AGREED = {
    "parity.parameters": ("==", 0), "parity.reference": ("==", 0), "parity.training": ("==", 0), "parity.flips": ("==", 0),
    "int8.auc_difference": (">=", -0.005), "score.signal_precision": (">=", 0.95), "score.noise_precision": (">=", 0.95),
    "runtime.added_us": ("<=", 50), "runtime.added_rss_mb": ("<=", 4), "runtime.added_rss_mb.growth": ("<", 0.5), "runtime.realtime": (">=", 50),
    "flight.bytes": ("<=", 64_000), "board.imports": ("==", 0), "input.refused": (">=", 60), "input.refused.kinds": (">=", 4),
}


def record(name, value, spread=None):
    return Record(name, value, "", "measured", "here", spread)


def test_the_bounds_are_those_agreed():
    table = {claim.id: (claim.op, claim.bound) for claim in CLAIMS}
    assert {name: table[name] for name in AGREED} == AGREED


def test_nothing_measured_falls_short_and_nothing_supplied_does_not():
    gates = judge([])
    assert {gate.id for gate in gates if gate.holds is None} == {claim.id for claim in CLAIMS if claim.supplied}
    assert all(gate.id.startswith(("recorded.", "lint.vela")) for gate in gates if gate.holds is None)
    assert {verdict(gate) for gate in gates} == {"not measured: falls short", "not supplied"}
    assert fall_short(gates)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_each_bound_is_sharp(claim):
    step = 1 if isinstance(claim.bound, int) else 1e-9
    for value in (claim.bound - step, claim.bound, claim.bound + step):
        spread = Spread(value, value + 1, "") if claim.low else None
        gate = next(gate for gate in judge([record(claim.id, 99.0 if claim.low else value, spread)]) if gate.id == claim.id)
        assert gate.value == value and gate.holds is COMPARE[claim.op](value, claim.bound)


def test_a_lower_bound_without_an_interval_was_not_measured():
    gate = next(gate for gate in judge([record("int8.auc_difference", 0.1)]) if gate.id == "int8.auc_difference")
    assert gate.value is None and gate.holds is False


def test_a_recorded_slice_that_was_supplied_can_fall_short():
    gate = next(gate for gate in judge([record("recorded.quiet", 2)]) if gate.id == "recorded.quiet")
    assert gate.holds is False


def test_one_line_per_gate(results):
    text = lines(results.gates)
    assert len(text.splitlines()) == len(CLAIMS)
    assert text.count("not supplied") == 5 and "falls short" not in text and not fall_short(results.gates)
    first = text.splitlines()[0].split()
    assert first == ["parity.parameters", "0", "==", "0", "holds"]
