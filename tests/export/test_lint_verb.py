"""The verb `lint`: its document, its text, its exit status, and Vela beside it."""

import argparse
import json
from pathlib import Path

import pytest

from benchmarks.rule_pairs.builders import computed, conv, network, operator, transpose_conv, unary
from edge_runtime.errors import InputError, MissingError
from export import lint_verb, read_network, rules
from export.lint_verb import LINT, TARGETS
from export.vela import Report
from hw_profiles.network import Network, Operator
from tests.bundle_for_tests import make_bundle

REPORT = Report(version="5.2.0", accelerator_config="ethos-u55-128", system_config="Ethos_U55_High_End_Embedded", memory_mode="Shared_Sram", cpu_operators=1,
                npu_operators=2, falls_back=[], cycles_npu=41567, cycles_total=44932, inference_time_s=8.9864e-05, sram_used_bytes=16432,
                off_chip_flash_used_bytes=32544)  # fmt: skip


@pytest.fixture(autouse=True)
def no_vela(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.vela.vela", lambda path, target: None)


def lint(model: Path, target: str) -> tuple[int, str, dict[str, object]]:
    parser = argparse.ArgumentParser()
    LINT.add_arguments(parser)
    outcome = LINT.run(parser.parse_args([str(model), "--target", target]))
    return outcome.status, outcome.text, json.loads(json.dumps(outcome.document, allow_nan=False))


def lint_made(found: Network, target: str, monkeypatch: pytest.MonkeyPatch, name: str = "made.tflite") -> tuple[int, str, dict[str, object]]:
    monkeypatch.setattr(read_network, "read_network", lambda path: found)
    return lint(Path(name), target)


def mixed() -> Network:
    """A convolution, an activation that the Edge TPU does not know, another convolution."""
    middle, y = computed("middle"), computed("y")
    return network(conv(y=middle), operator("HARD_SWISH", (middle,), y), conv(y, y=computed("z")))


def test_a_bundle_maps(tmp_path: Path) -> None:
    status, text, document = lint(make_bundle(tmp_path / "bundle"), "edgetpu")
    assert (status, document["verdict"], document["rules"]) == (0, "maps", [])
    assert document["partition"] == document["certain"] == len(document["operators"]) and "run on the accelerator" in text  # type: ignore[arg-type]


def test_what_does_not_map_is_named_with_its_remedy_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    status, text, document = lint_made(mixed(), "edgetpu", monkeypatch)
    assert (status, document["verdict"], document["partition"], document["weights_bytes"]) == (1, "does not map", 1, 2 * (8 * 3 * 3 * 8 + 4 * 8))
    assert [(one["index"], one["kind"], one["name"], one["verdict"]) for one in document["operators"]] == [  # type: ignore[attr-defined]
        (0, "CONV_2D", "middle", "maps"), (1, "HARD_SWISH", "y", "does not map"), (2, "CONV_2D", "z", "maps")]  # fmt: skip
    (told,) = document["operators"][1]["rules"]  # type: ignore[index]
    (rule,) = [rule for rule in rules.TARGETS["edgetpu"].rules if rule.id == "edgetpu.operator"]
    assert told == {"id": rule.id, "verdict": rule.verdict, "reason": rule.reason, "source": rule.source, "remedy": rule.remedy}
    assert "vela" not in document
    assert text.splitlines() == [
        "made.tflite: edgetpu: does not map",
        "  CONV_2D     2 of them  maps",
        "  HARD_SWISH  1 y        does not map  edgetpu.operator",
        "",
        "  1 of 3 operators run on the accelerator, the rest on the CPU: the compiler cuts once, so all behind the first that does not map stay there; "
        "weights 1,216 bytes",
        f"  edgetpu.operator (does not map): {rule.reason}",
        f"    remedy: {rule.remedy}",
        f"    source: {rule.source}",
    ]


def test_doubt_alone_ends_with_0_and_is_told_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    x = computed("x", (1, 1, 16, 8))
    widening = transpose_conv()
    found = network(unary(x=x.shape), Operator(widening.kind, (*widening.inputs[:2], x, widening.inputs[3]), widening.outputs, widening.options))
    status, text, document = lint_made(found, "edgetpu", monkeypatch)
    assert (status, document["verdict"], document["partition"], document["certain"]) == (0, "uncertain", 2, 1)
    assert "2 of 2 operators run on the accelerator (1 if no uncertain one maps); weights" in text
    assert text.splitlines()[-1].startswith("uncertain: whether 1 of the 2 operators map")
    assert text.count("remedy:") == 1


def test_a_warning_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.rules.edgetpu._CACHE_BYTES", 100)
    status, text, document = lint_made(network(conv()), "edgetpu", monkeypatch)
    assert (status, document["verdict"]) == (0, "maps")
    assert [rule["id"] for rule in document["rules"]] == ["edgetpu.parameter-cache"]  # type: ignore[attr-defined]
    assert "edgetpu.parameter-cache (warning): " in text and "uncertain" not in text


def test_each_remedy_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = network(*(operator("FLOOR", (computed(f"{number}"),), computed(f"{number + 1}")) for number in range(5)))
    _, text, document = lint_made(chain, "ethos-u55-64", monkeypatch)
    assert (text.count("does not map  ethos-u55.operator"), text.count("remedy:"), document["partition"], document["vela"]) == (5, 1, 0, None)


def test_names_out_of_a_file_cannot_write_lines_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "a" * 70 + "\n\x1b[31mall is well\x07"
    _, text, document = lint_made(network(operator(f"CUSTOM {name}", (computed("x"),), computed(name))), "edgetpu", monkeypatch)
    assert all(line.isprintable() and len(line) < 200 for line in text.splitlines()) and "all is well?" in text
    assert document["operators"][0]["name"] == name  # type: ignore[index]


def test_velas_verdict_stands_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("export.vela.vela", lambda path, target: asked.append((path, target)) or REPORT)
    status, text, document = lint_made(network(conv()), "ethos-u55-128", monkeypatch)
    assert (status, document["vela"], asked) == (0, dict(REPORT), [(Path("made.tflite"), "ethos-u55-128")])
    assert text.splitlines()[-1] == (
        "  Vela 5.2.0, ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram: 1 operators on the CPU; the others take 44,932 cycles, 0.08986 ms "
        "(its estimate); SRAM 16,432 bytes, off-chip flash 32,544 bytes")  # fmt: skip


def test_what_vela_judges_otherwise_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report(**REPORT | {"falls_back": [{"kind": "CONV_2D", "output": "middle", "reason": "Unsupported kernel"}]})  # type: ignore[typeddict-item]
    monkeypatch.setattr("export.vela.vela", lambda path, target: report)
    found = mixed()
    first, swish, last = found.operators
    status, text, _ = lint_made(network(first, Operator("FLOOR", swish.inputs, swish.outputs, {}), last), "ethos-u55-128", monkeypatch)
    assert status == 1
    assert text.splitlines()[-2:] == ["  Vela differs: it leaves middle to the CPU: Unsupported kernel", "  Vela differs: it takes y"]


def test_where_vela_fails_ours_still_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path, target: str) -> None:
        raise InputError(path, "Vela", "ended with status 1: could not run on NPU")

    monkeypatch.setattr("export.vela.vela", fails)
    status, text, document = lint_made(network(conv()), "ethos-u55-256", monkeypatch)
    assert (status, document["verdict"], document["vela"]) == (0, "maps", {"error": "made.tflite: Vela: ended with status 1: could not run on NPU"})
    assert text.splitlines()[-1] == "  Vela: made.tflite: Vela: ended with status 1: could not run on NPU"


def test_a_vela_that_is_named_and_missing_ends_the_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: Path, target: str) -> None:
        raise MissingError("/nowhere/vela", "PIXIE_VELA", "is no program")

    monkeypatch.setattr("export.vela.vela", missing)
    with pytest.raises(MissingError):
        lint_made(network(conv()), "ethos-u55-256", monkeypatch)


@pytest.mark.parametrize(("name", "target"), [("made.onnx", "ethos-u55-128"), ("made.tflite", "edgetpu")])
def test_vela_is_asked_of_tflite_files_for_its_own_targets_only(name: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_asked(path: Path, target: str) -> None:
        raise AssertionError

    monkeypatch.setattr("export.vela.vela", not_asked)
    assert lint_made(network(conv()), target, monkeypatch, name)[0] == 0


def test_the_model_of_a_bundle_is_shown_to_vela(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("export.vela.vela", lambda path, target: asked.append(path))
    bundle = make_bundle(tmp_path / "bundle")
    assert lint(bundle, "ethos-u55-128")[0] == 0
    assert asked == [bundle / "model.tflite"]


def test_a_model_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        lint(tmp_path / "absent.tflite", "edgetpu")


def test_the_targets_of_the_command_line_are_those_of_the_rules() -> None:
    assert tuple(rules.TARGETS) == TARGETS == lint_verb.TARGETS
