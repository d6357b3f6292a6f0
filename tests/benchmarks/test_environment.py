import json

from benchmarks import environment


def test_what_the_machine_does_not_tell_is_none(monkeypatch, tmp_path):
    for name in ("CLOCK_SOURCE", "THERMAL", "CPU_FOLDER"):
        monkeypatch.setattr(environment, name, tmp_path / "none")
    here = environment.describe()
    assert [here[name] for name in ("governor", "frequency_limit_mhz", "temperature_c", "clock_source")] == [None] * 4
    assert json.loads(json.dumps(here)) == here and here["timer_resolution_ns"] > 0 and here["threads"] == 1


def test_what_it_tells_is_there_in_its_unit(monkeypatch, tmp_path):
    for name, text in (("scaling_governor", "performance\n"), ("scaling_max_freq", "1800000\n"), ("temp", "61348\n"), ("source", "arch_sys_counter\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(environment, "CPU_FOLDER", tmp_path)
    monkeypatch.setattr(environment, "THERMAL", tmp_path / "temp")
    monkeypatch.setattr(environment, "CLOCK_SOURCE", tmp_path / "source")
    here = environment.describe(threads=4)
    assert (here["governor"], here["frequency_limit_mhz"], here["temperature_c"], here["clock_source"]) == ("performance", 1800, 61, "arch_sys_counter")
    assert here["threads"] == 4 and environment.on("litert", 4).endswith("litert, 4 threads")


def test_instruction_sets_are_those_that_kernels_are_chosen_by(monkeypatch, tmp_path):
    monkeypatch.setattr(environment.Path, "read_text", lambda path: "processor : 0\nFeatures : fp asimd evtstrm aes asimddp\n")
    assert environment._instruction_sets() == "asimd asimddp"
    monkeypatch.setattr(environment.Path, "read_text", lambda path: "CPU part : 0xd08\n")
    assert environment._instruction_sets() is None


def test_what_is_emulated_says_so(monkeypatch):
    monkeypatch.delenv("PIXIE_EMULATED", raising=False)
    assert environment.emulated() is None and "emulated" not in environment.cpu_model()
    monkeypatch.setenv("PIXIE_EMULATED", "Cortex-A72")
    assert environment.cpu_model() == "Cortex-A72, emulated" and environment.on("litert", 2).startswith("Cortex-A72, emulated, ")
