"""Vela's report, read from what a stand-in for it prints and writes: no test needs Vela."""

import sys
import tomllib
from pathlib import Path

import pytest

from edge_runtime.errors import InputError, MissingError
from export import vela as module
from export.vela import vela

PRINTED = """
Warning (supported operators) operator: CONV_2D, ofm: 'encoder/it's 2'
Reason: Unsupported kernel stride: 4, 1
Stride>3 is only supported IF (dilation = 1 AND padding = VALID)

Warning (supported operators) operator: DIV, ofm: 'y'
Reason: Unsupported opType

Network summary for model
Accelerator configuration               Ethos_U55_128

CPU operators = 2 (28.6%)
NPU operators = 5 (71.4%)
"""
SUMMARY = ("experiment,network,accelerator_configuration,system_config,memory_mode,inference_time,sram_memory_used,off_chip_flash_memory_used,cycles_npu,"
           "cycles_total\ndefault,model,Ethos_U55_128,{system},{memory},8.9864e-05,16.046875,31.78125,41567,44932\n")  # fmt: skip

STAND_IN = """#!{python}
import pathlib, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("5.2.0")
    sys.exit()
named = dict(zip(arguments[1::2], arguments[2::2]))
model, folder = pathlib.Path(arguments[0]), pathlib.Path(named.pop("--output-dir"))
assert model.is_file() and model.is_absolute() and folder.samefile(".")
{body}
"""
WELL = """
print({printed!r})
summary = {summary!r}.format(system=named["--system-config"], memory=named["--memory-mode"])
(folder / (model.stem + "_summary_" + named["--system-config"] + ".csv")).write_text(summary)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"a model")
    return path


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str, name: str = "vela") -> Path:
    program = folder / name
    program.write_text(STAND_IN.format(python=sys.executable, body=body))
    program.chmod(0o755)
    monkeypatch.setenv("PIXIE_VELA", str(program))
    return program


def well(printed: str = PRINTED, summary: str = SUMMARY) -> str:
    return WELL.format(printed=printed, summary=summary)


def test_a_report(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, well())
    assert vela(model, "ethos-u55-128") == {
        "version": "5.2.0", "accelerator_config": "ethos-u55-128", "system_config": "Ethos_U55_High_End_Embedded", "memory_mode": "Shared_Sram",
        "cpu_operators": 2, "npu_operators": 5,
        "falls_back": [{"kind": "CONV_2D", "output": "encoder/it's 2", "reason": "Unsupported kernel stride: 4, 1"},
                       {"kind": "DIV", "output": "y", "reason": "Unsupported opType"}],
        "cycles_npu": 41567, "cycles_total": 44932, "inference_time_s": 8.9864e-05, "sram_used_bytes": 16432, "off_chip_flash_used_bytes": 32544,
    }  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.tflite", "vela"]  # nothing is left beside the model


def test_every_setting_is_said(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"--accelerator-config": "ethos-u55-64", "--config": "Arm/vela.ini", "--system-config": "Ethos_U55_High_End_Embedded",
             "--memory-mode": "Shared_Sram"}  # fmt: skip
    install(tmp_path, monkeypatch, f"assert named == {asked!r}, named\n{well()}")
    assert vela(model, "ethos-u55-64") is not None


def test_the_settings_are_those_of_the_hardware_profile() -> None:
    profile = tomllib.loads((Path(__file__).parents[2] / "hw_profiles" / "ethos-u55.toml").read_text())
    assert (profile["system_configuration"], profile["memory_mode"]) == (module.SYSTEM_CONFIGURATION, module.MEMORY_MODE)


def test_vela_of_the_search_path_is_taken_and_none_where_there_is_none(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    install(tmp_path / "bin", monkeypatch, well())
    monkeypatch.delenv("PIXIE_VELA")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert vela(model, "ethos-u55-128") is None
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert vela(model, "ethos-u55-128") is not None


def test_a_name_that_is_no_program_is_told(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIXIE_VELA", str(tmp_path / "absent"))
    with pytest.raises(MissingError, match="absent: PIXIE_VELA: is no program"):
        vela(model, "ethos-u55-128")
    broken = tmp_path / "absent"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(MissingError, match="Vela: cannot be run"):
        vela(model, "ethos-u55-128")


@pytest.mark.parametrize(("body", "reason"), [
    ("print('Traceback', file=sys.stderr); sys.exit('RuntimeError: could not run on NPU')", "ended with status 1: RuntimeError: could not run on NPU$"),
    ("print('only this'); sys.exit(3)", "ended with status 3: only this$"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended with status -11: it said nothing$"),
    ("", "wrote no summary"),
    (well(printed="CPU operators = many"), "wrote no summary"),
    (well(summary="cycles_npu\n1\n"), "wrote no summary"),
    (well(summary=SUMMARY.replace("44932", "nan")), "wrote no summary"),
])  # fmt: skip
def test_a_run_that_fails_is_told_with_its_last_line(body: str, reason: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, body)
    with pytest.raises(InputError, match=f"model.tflite: Vela: {reason}"):
        vela(model, "ethos-u55-128")


def test_a_run_without_an_end_is_ended(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(module, "_LONGEST_RUN", 0.5)
    with pytest.raises(InputError, match="did not end within"):
        vela(model, "ethos-u55-128")
