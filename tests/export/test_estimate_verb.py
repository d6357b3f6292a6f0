import json

import pytest

from benchmarks.rule_pairs import PAIRS
from benchmarks.rule_pairs.builders import computed, conv, network
from edge_runtime.cli import run_verb
from export.estimate_verb import ESTIMATE
from export.on_board import estimate_on
from hw_profiles.cost_model import estimate as estimate_cost
from hw_profiles.profile import profile
from tests.bundle_for_tests import make_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return make_bundle(tmp_path_factory.mktemp("estimate") / "bundle")


def estimate(capsys, *words):
    status = run_verb("pixie", {"estimate": ESTIMATE}, ["estimate", *(str(word) for word in words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_bundle_on_a_board_as_one_document(bundle, capsys):
    status, out, _ = estimate(capsys, bundle, "--profile", "raspberry-pi-4b", "--json")
    told, board = json.loads(out), profile("raspberry-pi-4b")
    assert status == 0 and told["trust"] == board.trust and told["validation_error"] == board.numbers["validation_error"].value
    assert set(told["latency_s"]) == set(told["energy_j"]) == {"p50", "lo", "hi", "level"} and told["how"] == "modelled" and not told["lower_bound"]
    assert told["flash_bytes"] == (bundle / "model.tflite").stat().st_size and told["ram_bytes"] > 3 * 1040
    assert [layer["kind"] for layer in told["per_layer"]] == ["CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED"]
    assert told["per_layer"][0]["macs"] == 1040 // 16 * 16 * 3 * 4


def test_a_person_reads_trust_shares_and_caveats(bundle, capsys):
    _, out, _ = estimate(capsys, bundle, "--profile", "gr740")
    assert "unvalidated: " in out and "0 CONV_2D" in out and "the call itself" in out and "note: " in out
    shares = [float(word[:-1]) for line in out.splitlines() for word in line.split() if word.endswith("%") and "interval" not in line]
    assert sum(shares) == pytest.approx(100, abs=1)


def test_a_batch_takes_longer_and_threads_are_those_of_the_board(bundle, capsys):
    one, many = (json.loads(estimate(capsys, bundle, "--profile", "raspberry-pi-4b", "--batch", batch, "--json")[1]) for batch in (1, 64))
    assert one["latency_s"]["p50"] < many["latency_s"]["p50"] < 64 * one["latency_s"]["p50"] and many["batch"] == 64
    for board, threads in (("raspberry-pi-4b", 5), ("gr740", 2)):
        status, _, err = estimate(capsys, bundle, "--profile", board, "--threads", threads)
        assert status == 2 and "--threads" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(("words", "told"), [
    (("--profile", "raspberry-pi-4"), "raspberry-pi-4b"), (("--profile", "host", "--threads", "2"), "knows 1"), (("--profile", "cortex-a53-litert"), "parent"),
    (("--profile", "raspberry-pi-4b", "--batch", "0"), "--batch"), ((), "--profile")])
def test_what_cannot_be_is_refused_in_one_line(bundle, capsys, words, told):
    status, out, err = estimate(capsys, bundle, *words)
    assert (status, out) == (2, "") and told in err and len(err.splitlines()) == 1


def test_an_operator_without_a_price_is_named_and_left_out_on_request(bundle, capsys, monkeypatch):
    from hw_profiles import work

    monkeypatch.delitem(work._GROUPS, "MAX_POOL_2D")
    status, _, err = estimate(capsys, bundle, "--profile", "raspberry-pi-4b")
    assert status == 2 and "operator 1, MAX_POOL_2D" in err and "--partial" in err
    told = json.loads(estimate(capsys, bundle, "--profile", "raspberry-pi-4b", "--partial", "--json")[1])
    assert told["lower_bound"] and told["per_layer"][1]["seconds"] is None and "MAX_POOL_2D" in told["unpriced"][0]
    assert "a lower bound" in estimate(capsys, bundle, "--profile", "raspberry-pi-4b", "--partial")[1]


def test_what_a_compiler_may_refuse_is_priced_both_ways(bundle, capsys, monkeypatch):
    from export import read_network

    unsure = PAIRS["edgetpu"]["edgetpu.transpose-conv"][0]
    monkeypatch.setattr(read_network, "read_network", lambda path: unsure)
    for board, host in (("coral-dev-board", "coral-dev-board-cpu"), ("coral-dev-board-mini", None)):
        told = json.loads(estimate(capsys, bundle, "--profile", board, "--json")[1])
        taken, left = estimate_cost(unsure, profile(board)), host and estimate_cost(unsure, profile(board), profile(host), [])
        assert told["uncertain"] == [0] and told["latency_s"]["p50"] == taken.latency_s.p50
        assert not left or left.latency_s == estimate_cost(unsure, profile(host)).latency_s  # an accelerator that takes nothing is not called
        ends = [one.latency_s for one in (taken, left) if one]
        assert (told["latency_s"]["lo"], told["latency_s"]["hi"]) == (min(one.lo for one in ends), max(one.hi for one in ends))
        assert "whether the accelerator takes 1 of the operators" in estimate(capsys, bundle, "--profile", board)[1]
    assert estimate_on(unsure, profile("raspberry-pi-4b")).uncertain == ()


def test_json_says_what_a_board_was_validated_by_or_that_it_was_not(bundle, capsys):
    for board, words in (("raspberry-pi-4b", "took no part in the fit"), ("raspberry-pi-zero-2w", "unvalidated: ")):
        assert words in json.loads(estimate(capsys, bundle, "--profile", board, "--json")[1])["validation"]


def test_what_vela_leaves_to_the_processor_has_no_price_there(capsys, monkeypatch, bundle):
    sound, breaking = (network(one, conv()) for one in (conv(), conv(kind="DEPTHWISE_CONV_2D", stride=(4, 4), padding="VALID")))
    for found, status in ((sound, 0), (breaking, 2)):
        monkeypatch.setattr("export.read_network.read_network", lambda path, found=found: found)
        assert estimate(capsys, bundle, "--profile", "ethos-u55-128")[0] == status
    told = json.loads(estimate(capsys, bundle, "--profile", "ethos-u55-128", "--partial", "--json")[1])
    assert [layer["where"] for layer in told["per_layer"]] == ["cpu", "accelerator"] and "DEPTHWISE_CONV_2D" in told["unpriced"][0]


def test_an_open_batch_is_one_item(capsys, monkeypatch, bundle):
    x, y = (computed(name, (None, 16, 16, 8)) for name in "xy")
    monkeypatch.setattr("export.read_network.read_network", lambda path: network(conv(x, y=y)))
    told = json.loads(estimate(capsys, bundle, "--profile", "raspberry-pi-4b", "--json")[1])
    assert told["per_layer"][0]["macs"] == 16 * 16 * 9 * 8 * 8 and told["ram_bytes"] == 2 * 2048 + 8 * 9 * 8 + 8 * 4
