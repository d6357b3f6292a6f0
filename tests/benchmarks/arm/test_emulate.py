"""Emulation with a stand-in for QEMU; and the gate `arm.identical`: this host's LiteRT gives the codes that the emulated cores gave."""

import contextlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.arm import guest
from benchmarks.arm.cache import CORES, Emulator
from benchmarks.arm.emulate import FIXTURE, chosen, differing_bytes, emulate, identical, parse_marks, read_fixture, table, to_document
from benchmarks.arm.models import macs, models
from edge_runtime.errors import InputError, PixieError

NAMES = ("dense_tiny", "odds_series")


def stand_in(folder: Path, behaviour: str) -> Emulator:
    return Emulator(folder, (sys.executable, str(Path(__file__).with_name("stand_in.py"))), {"STAND_IN": behaviour}, {"qemu": "a stand-in"})


def test_counts_and_differing_bytes_of_every_core_are_found(tmp_path):
    fixture = emulate(stand_in(tmp_path, "differs"), chosen(NAMES))
    assert set(fixture.models) == set(NAMES) and list(tmp_path.iterdir()) == []
    assert {core.instructions for model in fixture.models.values() for core in model.cores.values()} == {5000}
    tiny = fixture.models["dense_tiny"]
    assert tiny.macs == 384 and tiny.output_bytes == 8 * guest.INPUTS
    assert {name: core.differing_bytes for name, core in tiny.cores.items()} == {"cortex-a53": 0, "cortex-a72": 2, "cortex-a76": 0}
    assert (tiny.cores["cortex-a72"].outputs_sha256 == tiny.outputs_sha256, tiny.cores["cortex-a76"].outputs_sha256 == tiny.outputs_sha256) == (False, True)
    assert fixture.versions["qemu"] == "a stand-in" and fixture.versions["guest litert"] == fixture.versions["host litert"]
    assert identical(fixture) == (2, 2, guest.INPUTS)
    assert "0 2 0" in table(fixture).splitlines()[1]
    path = tmp_path / "fixture.json"
    path.write_text(json.dumps(to_document(fixture)))
    assert read_fixture(path) == fixture


def test_a_guest_that_dies_is_told_with_its_model(tmp_path):
    with pytest.raises(PixieError, match="cortex-a53: odds_series: LiteRT ended here with status -11"):
        emulate(stand_in(tmp_path, "dies"), chosen(NAMES))
    assert list(tmp_path.iterdir()) == []


def test_the_fixture_is_of_all_models_as_they_are_built_now_and_this_host_computes_the_same():
    fixture = read_fixture()
    assert {name: model.macs for name, model in fixture.models.items()} == {name: macs(graph) for name, graph in models().items()}
    assert fixture.inputs == guest.INPUTS == 100 and all(core.instructions > 4000 for model in fixture.models.values() for core in model.cores.values())
    assert all(core.outputs_sha256 == model.outputs_sha256 for model in fixture.models.values() for core in model.cores.values())
    assert identical(fixture) == (0, len(fixture.models), 100)


def test_outputs_or_files_that_are_no_longer_the_same_count_as_different():
    fixture = read_fixture()
    tiny, odds = (fixture.models[name] for name in NAMES)
    moved = {"dense_tiny": replace(tiny, outputs_sha256="0" * 64), "odds_series": replace(odds, sha256="0" * 64), "gone": tiny}
    assert identical(replace(fixture, models=moved))[0] == 2 * tiny.output_bytes + odds.output_bytes


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_differing_bytes(one, other):
    longer, shorter = sorted((one, other), key=len, reverse=True)
    assert differing_bytes(one, other) == sum(a != b for a, b in zip(shorter, longer, strict=False)) + len(longer) - len(shorter)


def marks(*costs: int, threads: int = 1) -> list[str]:
    """Lines of the plugin for models whose inference takes `costs`; 900 a mark."""
    total, lines = 10**9, []
    for cost in costs:
        for length in guest.LENGTHS:
            total += 900 + cost * length
            lines.append(f"{total} {threads}")
    return lines


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=4))
def test_marks_give_the_instructions_of_an_inference(costs):
    names = [f"m{index}" for index in range(len(costs))]
    assert parse_marks("\n".join(marks(*costs)), names, "cortex-a53") == dict(zip(names, costs, strict=True))


@given(st.integers(0, len(guest.LENGTHS) - 1))
def test_something_else_once_does_no_harm(place):
    lines = marks(7000)
    late = [f"{int(line.split()[0]) + 154 * (index >= place)} 1" for index, line in enumerate(lines)]
    assert parse_marks("\n".join(late), ["m"], "cortex-a53") == {"m": 7000}


@pytest.mark.parametrize(("lines", "field"), [
    (marks(7000)[:-1], "marks"), ([*marks(7000), "1 1"], "marks"), (["plugin loaded", *marks(7000)[1:]], "marks"), (["-5 1", *marks(7000)[1:]], "marks"),
    ([], "marks"), (marks(7000, threads=2), "threads"),
    ([f"{int(line.split()[0]) + index**3} 1" for index, line in enumerate(marks(7000))], "m"),  # it grows from run to run
    ([f"{int(line.split()[0]) + (index + 1) // 2} 1" for index, line in enumerate(marks(7000))], "m"),  # two inferences in 14,001
    (["5 1"] * len(guest.LENGTHS), "m"),
])
def test_marks_that_are_no_count_are_refused(lines, field):
    with pytest.raises(PixieError, match=f"^cortex-a76: {field}: "):
        parse_marks("\n".join(lines), ["m"], "cortex-a76")


@given(st.text(alphabet="0123456789 -\nx", max_size=400))
def test_marks_of_any_text_are_read_or_refused(text):
    with contextlib.suppress(PixieError):
        assert parse_marks(text, ["m"], "cortex-a53")["m"] > 0


def changed(document: dict, words: tuple, value: object) -> dict:
    *way, last = words
    place = document
    for word in way:
        place = place[word]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return document


@pytest.mark.parametrize(("words", "value", "field"), [
    (("schema_version",), 2, "schema_version"), (("schema_version",), None, "schema_version"), (("models",), None, "models"), (("models",), [1], "models"),
    (("versions",), 5, "models"), (("models", "dense_tiny", "macs"), None, "models"), (("models", "dense_tiny", "macs"), "many", "models"),
    (("models", "dense_tiny", "cores", "cortex-a72"), None, "models.dense_tiny.cores"), (("models", "dense_tiny", "cores", "cortex-a72"), 7, "models"),
    (("models", "dense_tiny", "cores", "cortex-a72", "instructions"), None, "models"),
])
def test_a_damaged_fixture_is_refused_by_its_field(tmp_path, words, value, field):
    path = tmp_path / "counted.json"
    path.write_text(json.dumps(changed(json.loads(FIXTURE.read_text()), words, value)))
    with pytest.raises(InputError, match=f"counted.json: {field}: "):
        read_fixture(path)


def test_a_name_that_no_model_has_is_refused():
    with pytest.raises(InputError, match="'dense_huge' is none of pixels, "):
        chosen(["dense_tiny", "dense_huge"])
    assert list(chosen(["odds_series", "dense_tiny"])) == list(NAMES) and list(chosen([])) == list(models())


def test_the_cores_are_three_with_parts_of_arm():
    assert CORES == {"cortex-a53": 0xD03, "cortex-a72": 0xD08, "cortex-a76": 0xD0B}
