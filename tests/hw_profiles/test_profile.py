import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.errors import InputError
from hw_profiles.profile import STATUSES, TRUSTS, Number, Profile, profile_text, read_profile, stated

CORE = """schema_version = 2
name = "core"
abstract = true
runtime = "litert 2.3"
validation = "two published latencies"
caveats = ["two latencies alone"]

[numbers.validation_error]
value = 0.1
unit = "share"
status = "fitted"
source = "table 1"

[numbers.cycles_per_mac]
value = 2
unit = "cycle/MAC"
status = "fitted"
source = "table 1"
n = 20

[numbers.clock_hz]
value = 1e9
unit = "Hz"
status = "datasheet"
source = "page 3"
"""
BOARD = """schema_version = 2
name = "board"
inherits = "core"
device = "a board"
date = "2026-11-22"
trust = "weak-calibration"
cost_model = "cycles_per_mac"
caveats = ["hot"]

[numbers.clock_hz]
value = 2e9
unit = "Hz"
status = "assumed"
source = "assumed: like its sister"
range = [1.5e9, 2.5e9]

[numbers.power_active_w]
value = 2.5
unit = "W"
status = "measured"
source = "own meter"
spread = [2.4, 2.6]
n = 7
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "core.toml").write_text(CORE)
    (tmp_path / "board.toml").write_text(BOARD)
    return tmp_path


def test_what_a_child_states_replaces_and_what_it_does_not_is_inherited(folder):
    board = read_profile(folder / "board.toml")
    assert (board.name, board.device, board.runtime, board.abstract) == ("board", "a board", "litert 2.3", False)
    assert board.numbers["clock_hz"] == Number(2e9, "Hz", "assumed", "assumed: like its sister", range=(1.5e9, 2.5e9))
    assert board.numbers["cycles_per_mac"] == Number(2, "cycle/MAC", "fitted", "table 1", n=20, inherited_from="core")
    assert board.caveats == ("two latencies alone", "hot")
    assert board.validation == "two published latencies"


def test_a_number_says_where_in_a_long_chain_it_comes_from(folder):
    (folder / "rack.toml").write_text('schema_version = 2\nname = "rack"\ninherits = "board"\n')
    rack = read_profile(folder / "rack.toml")
    assert {key: number.inherited_from for key, number in rack.numbers.items()} == {
        "validation_error": "core", "cycles_per_mac": "core", "clock_hz": "board", "power_active_w": "board"}


def test_a_child_that_states_what_it_was_validated_on_inherits_neither_error_nor_reason(folder):
    change(folder / "board.toml", "trust =", 'validation = "none"\nvalidation_reason = "another clock"\ntrust =')
    board = read_profile(folder / "board.toml")
    assert (board.validation, board.validation_reason, "validation_error" in board.numbers) == ("none", "another clock", False)
    (folder / "twin.toml").write_text('schema_version = 2\nname = "twin"\ninherits = "board"\nvalidation = "a table"\n\n[numbers.validation_error]\n'
                                      'value = 0.2\nunit = "share"\nstatus = "fitted"\nsource = "table 2"\n')
    twin = read_profile(folder / "twin.toml")
    assert (twin.validation_reason, twin.numbers["validation_error"].value) == ("", 0.2)


def test_a_profile_of_the_user_may_stand_on_one_of_pixies(tmp_path):
    (tmp_path / "mine.toml").write_text('schema_version = 2\nname = "mine"\ninherits = "raspberry-pi-4b"\n')
    assert read_profile(tmp_path / "mine.toml").numbers["cores"].inherited_from == "raspberry-pi-4b"


def test_a_cycle_is_refused_with_the_way_round(folder):
    change(folder / "core.toml", "abstract = true", 'abstract = true\ninherits = "board"')
    with pytest.raises(InputError, match=r"board.toml: inherits: leads back to itself.*: board > core > board;"):
        read_profile(folder / "board.toml")


def test_a_chain_without_end_is_refused(folder):
    for step in range(20):
        (folder / f"step-{step}.toml").write_text(f'schema_version = 2\nname = "step-{step}"\ninherits = "step-{step + 1}"\n')
    with pytest.raises(InputError, match=r"through more than 8 profiles"):
        read_profile(folder / "step-0.toml")


@pytest.mark.parametrize(("old", "new", "field"), [
    ("schema_version = 2", "schema_version = 1", "schema_version"),
    ("[numbers.clock_hz]", "[numbers.clock_hz", "TOML"),
    ("2e9", "9" * 5000, "TOML"),
    ('name = "board"\n', "", "name"),
    ('device = "a board"\n', "", "device"),
    ('date = "2026-11-22"\n', "", "date"),
    ('trust = "weak-calibration"\n', "", "trust"),
    ('trust = "weak-calibration"', 'trust = "solid"', "trust"),
    ('cost_model = "cycles_per_mac"', 'cost_model = "guess"', "cost_model"),
    ('cost_model = "cycles_per_mac"', 'cost_model = "instructions"', "numbers.cores"),
    ('device = "a board"', 'device = "a board"\ncolour = "green"', "top level.colour"),
    ('device = "a board"', "device = 3", "device"),
    ('caveats = ["hot"]', 'caveats = "hot"', "caveats"),
    ('caveats = ["hot"]', 'caveats = [" "]', "caveats"),
    ('caveats = ["hot"]', 'abstract = "no"', "abstract"),
    ('inherits = "core"', 'inherits = "cores"', "inherits"),
    ('inherits = "core"', 'inherits = "../core"', "inherits"),
    ('trust = "weak', 'host = "nobody"\ntrust = "weak', "host"),
    ('trust = "weak', 'validation = "none"\ntrust = "weak', "validation_reason"),
    ('trust = "weak', 'validation_reason = "why not"\ntrust = "weak', "validation_reason"),
    ('trust = "weak', 'validation = "a table"\ntrust = "weak', "numbers.validation_error"),
    ('source = "own meter"\n', "", "numbers.power_active_w.source"),
    ('source = "own meter"', 'source = " "', "numbers.power_active_w.source"),
    ('status = "measured"\n', "", "numbers.power_active_w.status"),
    ('status = "measured"', 'status = "rumour"', "numbers.power_active_w.status"),
    ("value = 2.5\n", "", "numbers.power_active_w.value"),
    ("value = 2.5\n", "value = nan\n", "numbers.power_active_w.value"),
    ("value = 2.5\n", "value = -inf\n", "numbers.power_active_w.value"),
    ("value = 2.5\n", "value = true\n", "numbers.power_active_w.value"),
    ("value = 2.5\n", f"value = {'9' * 400}\n", "numbers.power_active_w.value"),
    ("value = 2.5\n", "value = -1\n", "numbers.power_active_w.value"),
    ("value = 2e9", "value = 0", "numbers.clock_hz.value"),
    ('unit = "W"', 'unit = "mW"', "numbers.power_active_w.unit"),
    ("[numbers.power_active_w]", "[numbers.power_active]", "numbers.power_active.unit"),
    ("[numbers.power_active_w]", "[numbers.power_active_bytes_per_s]", "numbers.power_active_bytes_per_s.unit"),
    ("[numbers.power_active_w]", '[numbers."power w"]', "numbers.power w"),
    ("n = 7", "n = 0", "numbers.power_active_w.n"),
    ("n = 7", "m = 7", "numbers.power_active_w.m"),
    ("spread = [2.4, 2.6]", "spread = [2.4]", "numbers.power_active_w.spread"),
    ("spread = [2.4, 2.6]", "spread = [2.6, 2.4]", "numbers.power_active_w.spread"),
    ("range = [1.5e9, 2.5e9]\n", "", "numbers.clock_hz.range"),
    ("range = [1.5e9, 2.5e9]", "range = [2.1e9, 2.5e9]", "numbers.clock_hz.range"),
    ('"assumed: like its sister"', '"like its sister"', "numbers.clock_hz.source"),
    ('"own meter"', '"assumed: own meter"', "numbers.power_active_w.source"),
])
def test_a_malformed_profile_is_refused_with_its_field(folder, old, new, field):
    change(folder / "board.toml", old, new)
    with pytest.raises(InputError, match=f"board.toml: {re.escape(field)}: "):
        read_profile(folder / "board.toml")


def test_a_fault_of_the_parent_is_told_of_the_parents_file(folder):
    change(folder / "core.toml", 'source = "page 3"\n', "")
    with pytest.raises(InputError, match=r"core.toml: numbers.clock_hz.source: "):
        read_profile(folder / "board.toml")


def test_an_assumed_count_needs_no_range_but_is_whole(folder):
    cores = '\n[numbers.cores]\nvalue = 4\nunit = "1"\nstatus = "assumed"\nsource = "assumed: as many"\n'
    (folder / "board.toml").write_text(BOARD + cores)
    assert read_profile(folder / "board.toml").numbers["cores"].value == 4
    (folder / "board.toml").write_text(BOARD + cores.replace("4", "3.5"))
    with pytest.raises(InputError, match=r"numbers.cores.value: is 3.5; counts are whole"):
        read_profile(folder / "board.toml")


def test_what_a_file_states_is_written_back_and_its_parent_stays_where_it_is(folder):
    read, own = read_profile(folder / "board.toml"), stated(folder / "board.toml")
    assert set(own.numbers) == {"clock_hz", "power_active_w"} and own.runtime == ""
    (folder / "board.toml").write_text(profile_text(own))
    assert (stated(folder / "board.toml"), read_profile(folder / "board.toml")) == (own, read)


def test_an_inherited_number_is_not_written_into_the_child(folder):
    with pytest.raises(ValueError, match="holds what its parent states"):
        profile_text(read_profile(folder / "board.toml"))


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip)
NUMBERS = st.builds(Number, st.floats(0, 1e299), st.just("1"), st.sampled_from(STATUSES[:4]), TEXTS.filter(lambda text: not text.startswith("assumed: ")),
                    st.none() | st.just((0.5, 7.25)), st.none() | st.integers(1, 10**6))


@settings(max_examples=40)
@given(TEXTS, TEXTS, st.sampled_from(TRUSTS), st.lists(TEXTS, unique=True, max_size=3).map(tuple),
       st.dictionaries(st.from_regex(r"x[a-z]{1,4}", fullmatch=True), NUMBERS, min_size=1, max_size=3))
def test_a_written_profile_reads_back_equal_whatever_its_texts(tmp_path_factory, device, reason, trust, caveats, numbers):
    profile = Profile("lab", device, "a runtime", "2026-11-22", numbers, trust, "none", reason, caveats=caveats)
    path = tmp_path_factory.mktemp("profile") / "lab.toml"
    path.write_text(profile_text(profile), encoding="utf-8", newline="")
    assert read_profile(path) == profile


@given(st.data())
def test_a_damaged_profile_is_refused_or_read_but_never_a_traceback(tmp_path_factory, data):
    start = data.draw(st.integers(0, len(BOARD)))
    end = data.draw(st.integers(start, min(start + 20, len(BOARD))))
    folder = tmp_path_factory.mktemp("profile")
    (folder / "core.toml").write_text(CORE)
    (folder / "board.toml").write_text(BOARD[:start] + data.draw(st.text(max_size=5)) + BOARD[end:], encoding="utf-8", errors="replace")
    try:
        assert read_profile(folder / "board.toml").numbers
    except InputError as refused:
        assert ".toml: " in str(refused)


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
