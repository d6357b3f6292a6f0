from dataclasses import replace

import pytest

from benchmarks.boards import DEADLINES_S, LARGEST_BATCH, ORBIT_J, ORBIT_S, batch_limits, boards, first_limit, rate_limits
from benchmarks.rule_pairs import PAIRS
from benchmarks.rule_pairs.builders import conv, network
from export.on_board import estimate_on
from export.read_network import read_network
from hw_profiles.profile import names, profile
from hw_profiles.work import live_bytes
from tests.bundle_for_tests import make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("boards") / "bundle")


def with_number(device, name, value):
    return replace(device, numbers={**device.numbers, name: replace(device.numbers["clock_hz"], value=value, range=None, spread=None)})


def test_every_board_with_a_cost_model_has_a_row_and_every_cell_a_record(bundle):
    found = boards({"encoder": bundle, "decoder": bundle}, "mmia")
    by_id = {record.id: record for record in found.records}
    for model in ("encoder", "decoder"):
        assert [row["name"].split()[0] for row in found.figures["tables"][f"boards_{model}"]["rows"]] == names()
    assert all(cell in by_id for table in found.figures["tables"].values() for row in table["rows"] for cell in row["cells"])
    assert all((record.how == "modelled" and "profile" in record.source) or record.id.endswith(".pays") for record in found.records)
    pi = by_id["boards.encoder.raspberry-pi-4b.ms"]
    assert pi.spread.low < pi.value < pi.spread.high
    assert by_id["boards.encoder.raspberry-pi-4b.duty"].value == pytest.approx(100 * pi.value / 10.4)


def test_a_board_that_takes_only_a_part_has_no_row_and_says_why(bundle, monkeypatch):
    breaking = conv(kind="DEPTHWISE_CONV_2D", stride=(4, 4), padding="VALID")  # a stride that no Ethos-U55 has
    monkeypatch.setattr("benchmarks.boards.read_network", lambda path: network(breaking))
    found = boards({"pixels": bundle}, "mmia")
    rows = [row["name"].split()[0] for row in found.figures["tables"]["boards_pixels"]["rows"]]
    assert "raspberry-pi-4b" in rows and "ethos-u55-128" not in rows
    assert any(note.startswith("ethos-u55-128 has no price") and "DEPTHWISE_CONV_2D" in note for note in found.figures["notes"])


def test_the_rate_grows_until_the_first_limit(bundle):
    network, device, deadline = read_network(bundle), profile("cortex-m7"), DEADLINES_S["mmia"]
    told = estimate_on(network, device)
    limits = rate_limits(told, device, deadline)
    assert limits["deadline"] == pytest.approx(deadline / told.latency_s.p50)
    # At that factor on the rate an orbit's calls take all of its energy.
    assert limits["energy"] * ORBIT_S / deadline * told.energy_j.p50 == pytest.approx(ORBIT_J)
    assert set(limits) == {"deadline", "energy"} and first_limit(limits) == min((value, name) for name, value in limits.items())[::-1]
    assert first_limit(rate_limits(told, with_number(device, "ram_bytes", told.ram_bytes - 1), deadline)) == ("ram", 0.0)
    assert first_limit(rate_limits(told, with_number(device, "flash_bytes", told.flash_bytes - 1), deadline)) == ("flash", 0.0)


def test_a_batch_grows_until_memory_is_full_or_calls_never_keep_up(bundle):
    network, device, deadline = read_network(bundle), profile("raspberry-pi-4b"), DEADLINES_S["mmia"]
    told, each = estimate_on(network, device), live_bytes(network)
    assert first_limit(batch_limits(network, told, device, deadline)) == ("none", LARGEST_BATCH)
    weights = told.ram_bytes - each
    small = with_number(device, "ram_bytes", weights + 7 * each + each // 2)
    assert first_limit(batch_limits(network, told, small, deadline)) == ("ram", 7)
    assert estimate_on(network, small, batch=7).ram_bytes <= small.numbers["ram_bytes"].value < estimate_on(network, small, batch=8).ram_bytes
    assert first_limit(batch_limits(network, told, with_number(device, "clock_hz", 1e4), deadline)) == ("deadline", 0)


def test_an_accelerator_pays_from_the_batch_at_which_it_is_faster(bundle):
    network = read_network(bundle)
    for record in boards({"encoder": bundle}, "mmia").records:
        if not record.id.endswith(".pays"):
            continue
        device = profile(record.id.split(".")[2])
        host = profile(device.host)
        faster = [estimate_on(network, device, batch=batch).latency_s.p50 < estimate_on(network, host, batch=batch).latency_s.p50
                  for batch in (record.value or LARGEST_BATCH, (record.value or LARGEST_BATCH) // 2 or 1)]
        assert faster[0] == (record.value is not None) and (record.value in (None, 1) or not faster[1])


def test_what_an_edge_tpu_may_refuse_is_said_beside_the_table(bundle, monkeypatch):
    monkeypatch.setattr("benchmarks.boards.read_network", lambda path: PAIRS["edgetpu"]["edgetpu.transpose-conv"][0])
    tables = boards({"decoder": bundle}, "mmia").figures["tables"]
    note = tables["boards_decoder"]["note"]
    assert "Whether an Edge TPU takes 1 of them is not known" in note and "but for coral-dev-board-micro and coral-dev-board-mini" in note
