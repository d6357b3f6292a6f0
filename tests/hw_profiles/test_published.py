import re
import tomllib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import InputError
from hw_profiles.known_networks import networks
from hw_profiles.profile import FOLDER
from hw_profiles.published import FILE, rows

TABLE = """schema_version = 1

[[tables]]
board = "bench"
profile = "raspberry-pi-5"
tag = "tflite"
runtime = "TensorFlow Lite"
same_runtime = true
threads = 1
source = "a page"
rows = [
    { network = "vgg16-224", latency_s = 0.5 },
    { network = "vgg16-224", threads = 4, latency_s = 0.2, energy_j = 1, clock_hz = 2.4e9, note = "warm", source = "another page", dtype = "float32" },
]
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.toml"


def test_there_are_enough_int8_rows_of_the_profiles_own_runtimes_and_of_others():
    int8 = [row for row in rows() if row.dtype == "int8"]
    assert len(int8) >= 200
    assert sum(row.same_runtime for row in int8) >= 100
    per_profile = Counter(row.profile for row in int8 if row.same_runtime)
    assert {profile for profile, count in per_profile.items() if count >= 4} >= {
        "raspberry-pi-4b", "raspberry-pi-5", "coral-usb3", "coral-usb3-pi4", "coral-usb2-pi3b-plus", "coral-dev-board", "coral-dev-board-mini",
        "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m85"}


def test_each_row_names_a_network_and_a_profile_that_exist_and_a_source_that_can_be_found():
    for row in rows():
        assert row.network in networks(), row.name
        assert (FOLDER / f"{row.profile}.toml").is_file(), row.name
        assert re.match(r"https://\S+$|[\w.-]+/[\w.-]+(@[0-9a-f]{40}:\S+| issue #\d+)$", row.source), row.source


def test_more_threads_never_take_longer_and_bigger_detectors_never_less():
    """Slips of the pen: a digit lost or two lines swapped."""
    detectors = [row for row in rows() if row.network.startswith("efficientdet")]
    order = {name: place for place, name in enumerate(("lite0", "lite1", "lite2", "lite3", "lite3x", "lite4"))}
    for one in detectors:
        for other in detectors:
            if (one.profile, one.runtime) == (other.profile, other.runtime):
                if one.network == other.network and one.threads < other.threads:
                    assert one.latency_s > other.latency_s, (one.name, other.name)
                if one.threads == other.threads and order[one.network.split("-")[1]] < order[other.network.split("-")[1]]:
                    assert one.latency_s < other.latency_s, (one.name, other.name)


def test_published_energies_are_those_of_the_power_a_microcontroller_draws():
    for row in rows():
        if row.energy_j is not None:
            assert 0.005 < row.energy_j / row.latency_s < 0.15, row.name


def test_a_row_takes_what_its_table_states_and_states_anew_what_is_its_own(path):
    path.write_text(TABLE)
    one, four = rows(path)
    assert (one.name, four.name) == ("vgg16-224@bench@tflite@1", "vgg16-224@bench@tflite@4")
    assert (one.source, one.dtype, one.clock_hz, one.energy_j, one.note) == ("a page", "int8", None, None, "")
    assert (four.source, four.dtype, four.clock_hz, four.energy_j, four.note) == ("another page", "float32", 2.4e9, 1.0, "warm")
    assert (one.profile, one.runtime, one.same_runtime, one.latency_s) == ("raspberry-pi-5", "TensorFlow Lite", True, 0.5)


@pytest.mark.parametrize(("old", "new", "field"), [
    ("schema_version = 1", "schema_version = 2", "schema_version"),
    ("schema_version = 1", 'schema_version = 1\nname = "x"', "top level"),
    ("[[tables]]", "[tables]", "top level"),
    ("rows = [", "lines = [", "tables[0]"),
    ("[[tables]]", "[[tables", "TOML"),
    ('board = "bench"\n', "", "tables[0].rows[0].board"),
    ('board = "bench"', 'board = "a@b"', "tables[0].rows[0].board"),
    ('tag = "tflite"', "tag = 3", "tables[0].rows[0].tag"),
    ('source = "a page"', 'source = " "', "tables[0].rows[0].source"),
    ('source = "a page"\n', "", "tables[0].rows[0].source"),
    ("same_runtime = true", 'same_runtime = "yes"', "tables[0].rows[0].same_runtime"),
    ("threads = 1", "threads = 0", "tables[0].rows[0].threads"),
    ("threads = 1", "threads = true", "tables[0].rows[0].threads"),
    ("threads = 4", "threads = 1", "tables[0].rows[1]"),
    ("latency_s = 0.5", "latency_s = 0", "tables[0].rows[0].latency_s"),
    ("latency_s = 0.5", "latency_s = nan", "tables[0].rows[0].latency_s"),
    ("latency_s = 0.2", "latency_s = inf", "tables[0].rows[1].latency_s"),
    ("latency_s = 0.2", "latency_ms = 200", "tables[0].rows[1].latency_ms"),
    (", latency_s = 0.5", "", "tables[0].rows[0].latency_s"),
    ("energy_j = 1", "energy_j = -1", "tables[0].rows[1].energy_j"),
    ('dtype = "float32"', 'dtype = "int4"', "tables[0].rows[1].dtype"),
    ('network = "vgg16-224", latency', 'network = "vgg-16", latency', "tables[0].rows[0].network"),
])
def test_a_malformed_table_is_refused_with_its_field(path, old, new, field):
    assert old in TABLE
    path.write_text(TABLE.replace(old, new, 1))
    with pytest.raises(InputError) as error:
        rows(path)
    assert f"table.toml: {field}: " in str(error.value)


@given(place=st.integers(0, len(TABLE) - 1), text=st.text(max_size=3))
def test_a_damaged_table_is_read_or_refused(tmp_path_factory, place, text):
    damaged = tmp_path_factory.getbasetemp() / "table.toml"
    damaged.write_text(TABLE[:place] + text + TABLE[place + 1 :], encoding="utf-8", errors="surrogatepass")
    try:
        assert all(row.latency_s > 0 for row in rows(damaged))
    except InputError as error:
        assert "table.toml: " in str(error)


def test_every_table_of_the_file_says_what_its_latencies_are_of():
    assert all(table.get("note") for table in tomllib.loads(FILE.read_text())["tables"])
