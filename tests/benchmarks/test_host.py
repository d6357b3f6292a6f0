from benchmarks import host
from hw_profiles.profile import profile_text, read_profile

CACHES = {"l2_bytes", "l3_bytes"}


def test_a_measured_host_is_written_as_a_profile_that_reads_back_equal(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "REPEATS", 10)
    monkeypatch.setattr(host, "BLOCK_BYTES", 1 << 20)
    measured = host.measure_host()
    path = tmp_path / "host.toml"
    path.write_text(profile_text(measured))
    assert read_profile(path) == measured
    assert {number.status for number in measured.numbers.values()} == {"measured", "published", "fitted"} and measured.cost_model == "loops"
    ours = set(read_profile(host.__file__.replace("benchmarks/host.py", "hw_profiles/host.toml")).numbers)
    assert set(measured.numbers) - CACHES == ours - CACHES and ours >= CACHES  # a system may not tell its caches
