import json

import pytest

from edge_runtime.cli import run_verb
from hw_profiles.cli import PROFILES
from hw_profiles.profile import FOLDER, names, profile


def profiles(*words):
    return run_verb("pixie", {"profiles": PROFILES}, ["profiles", *words])


def test_the_list_is_what_comes_without_a_word_and_names_every_board(capsys):
    assert profiles() == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()[1:]}
    assert list(lines) == names()
    error = profile("raspberry-pi-3b-plus").numbers["validation_error"].value
    assert f"{error:.1%}" in lines["raspberry-pi-3b-plus"] and "weak-calibration" in lines["raspberry-pi-3b-plus"]
    assert "unvalidated" in lines["gr740"] and "architectural-bound" in lines["gr740"]


def test_the_list_as_a_document(capsys):
    assert profiles("list", "--json") == 0
    boards = {board["name"]: board for board in json.loads(capsys.readouterr().out)["profiles"]}
    assert boards["cortex-m4"]["validation_error"] > 0 and boards["gr740"]["validation_error"] is None
    assert boards["host"]["cost_model"] == "loops" and boards["host"]["validation_error"] > 0


def test_a_shown_profile_tells_of_each_number_its_file_status_range_and_source(capsys):
    assert profiles("show", "astro-pi") == 0
    text = capsys.readouterr().out
    rows = {line.split()[0]: line for line in text.splitlines() if ".toml  " in line}
    assert "1500000000 to 1800000000" in rows["clock_hz"] and "astro-pi.toml" in rows["clock_hz"] and "assumed: " in rows["clock_hz"]
    assert "raspberry-pi-4b.toml" in rows["power_idle_w"] and "geerlingguy/sbc-reviews" in rows["power_idle_w"]
    assert "cortex-a72-litert.toml" in rows["instr_per_product_mac"] and "fitted" in rows["instr_per_product_mac"]
    assert "note: The case is the heat sink" in text


def test_a_profile_that_nothing_was_compared_with_is_shown_so(capsys):
    assert profiles("show", "ethos-u55-128") == 0
    text = capsys.readouterr().out
    assert "validation  unvalidated: the numbers are those of Arm's own estimator" in text
    assert "Vela memory Shared_Sram" in text


def test_a_shown_profile_as_a_document(capsys):
    assert profiles("show", "cortex-a76-litert", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["abstract"] is True
    said = document["numbers"]["tile_output_channels"]
    assert said == {"value": 16, "unit": "1", "status": "measured", "range": None, "spread": None, "n": None, "inherited_from": "",
                    "file": "cortex-a76-litert.toml", "source": said["source"]}
    assert document["numbers"]["cycles_per_instruction_int8"]["spread"][0] < document["numbers"]["cycles_per_instruction_int8"]["value"]


def test_a_good_file_is_counted_by_status(capsys):
    file = FOLDER / "gr712rc.toml"
    assert profiles("check", str(file)) == 0
    assert capsys.readouterr().out == f"{file}: ok, 5 numbers: 1 published, 1 datasheet, 3 assumed\n"
    assert profiles("check", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["numbers"] == {"published": 1, "datasheet": 1, "assumed": 3}


def test_a_file_without_a_source_is_refused_in_one_line(tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(line for line in (FOLDER / "gr740.toml").read_text().splitlines() if not line.startswith("source")))
    assert profiles("check", str(path)) == 2
    assert capsys.readouterr().err == f"pixie: {path}: numbers.clock_hz.source: is missing or empty; every profile and every number states it\n"


@pytest.mark.parametrize(("words", "told"), [
    (("show",), "needs the NAME"), (("check",), "needs a FILE"), (("list", "host"), "takes none"), (("show", "gr741"), "did you mean gr740"),
    (("check", "/nowhere.toml"), "does not exist"), (("check", str(FOLDER)), "is a folder"), (("print",), "invalid choice"),
])
def test_wrong_words_are_refused_with_the_remedy(capsys, words, told):
    assert profiles(*words) == 2
    assert told in capsys.readouterr().err
