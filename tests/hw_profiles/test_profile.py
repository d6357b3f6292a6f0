from pathlib import Path

import pytest

from edge_runtime.errors import InputError
from hw_profiles.profile import Number, Profile, profile_text, read_profile

HOST = Path(__file__).parents[2] / "hw_profiles" / "host.toml"
PROFILE = Profile("lab", "a \"quoted\" board", "litert 2.3", "2026-11-21", {
    "memory_copy_bytes_per_s": Number(1.5e9, "B/s", "measured", "NumPy copy of 64 MiB", (1.4e9, 1.6e9), 20),
    "clock_hz": Number(2e9, "Hz", "datasheet", "page 3"),
})


def test_the_host_profile_of_the_project_is_valid_and_all_measured():
    assert {number.status for number in read_profile(HOST).numbers.values()} == {"measured"}


def test_a_written_profile_reads_back_equal(tmp_path):
    path = tmp_path / "lab.toml"
    path.write_text(profile_text(PROFILE))
    assert read_profile(path) == PROFILE


@pytest.mark.parametrize(("old", "new", "field"), [
    ("schema_version = 1", "schema_version = 2", "schema_version"),
    ('source = "page 3"\n', "", "numbers.clock_hz.source"),
    ('status = "datasheet"', 'status = "rumour"', "numbers.clock_hz.status"),
    ("value = 2000000000.0", "value = nan", "numbers.clock_hz.value"),
    ("value = 2000000000.0", "value = true", "numbers.clock_hz.value"),
    ("n = 20", "n = 0", "numbers.memory_copy_bytes_per_s.n"),
    ("n = 20", "m = 20", "numbers.memory_copy_bytes_per_s.m"),
    ("spread = [1400000000.0, 1600000000.0]", "spread = [1.0]", "numbers.memory_copy_bytes_per_s.spread"),
    ("[numbers.clock_hz]", "[numbers.clock_hz", "TOML"),
])
def test_a_malformed_profile_is_refused_with_its_field(tmp_path, old, new, field):
    path = tmp_path / "lab.toml"
    text = profile_text(PROFILE)
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=f"lab.toml: {field.replace('.', '[.]')}: "):
        read_profile(path)
