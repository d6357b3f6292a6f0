from pathlib import Path

import pytest

from benchmarks import lint_rules
from benchmarks.lint_rules import rightly_judged
from benchmarks.rule_pairs import PAIRS

REPORT = {"version": "5.2.0", "accelerator_config": "ethos-u55-128", "system_config": "s", "memory_mode": "m"}


def stage(monkeypatch, operators):
    """The stage with a Vela that leaves so many operators of each network to the CPU; None: it is not installed."""
    monkeypatch.setattr(lint_rules, "vela", lambda path, target: operators and {**REPORT, "cpu_operators": operators[path.parent.name]})
    found = lint_rules.lint_rules({name: Path(name) for name in ("encoder", "decoder", "whole")})
    return {record.id: record.value for record in found.records}, found


def test_a_rule_that_another_network_breaks_is_judged_wrongly(monkeypatch):
    assert stage(monkeypatch, None)[0]["lint.rules"] == 0
    breaking, sound = PAIRS["edgetpu"]["edgetpu.transpose"]
    assert rightly_judged("edgetpu", "edgetpu.transpose", (breaking, sound))
    assert not rightly_judged("edgetpu", "edgetpu.transpose", (sound, sound)) and not rightly_judged("edgetpu", "edgetpu.transpose", (breaking, breaking))
    monkeypatch.setitem(PAIRS["edgetpu"], "edgetpu.transpose", (breaking, breaking))
    assert stage(monkeypatch, None)[0]["lint.rules"] == 1


@pytest.mark.parametrize(("left", "flown"), [({"encoder": 0, "decoder": 3, "whole": 3}, 0), ({"encoder": 2, "decoder": 0, "whole": 2}, 2)])
def test_vela_is_asked_of_what_flies_and_its_word_on_the_decoder_is_told_alone(monkeypatch, left, flown):
    told, _ = stage(monkeypatch, left)
    assert told["lint.vela"] == flown and told["lint.vela.decoder"] == left["decoder"]


def test_without_vela_its_verdict_is_not_supplied(monkeypatch):
    told, found = stage(monkeypatch, None)
    assert "lint.vela" not in told and "not installed" in found.figures["notes"][0]
