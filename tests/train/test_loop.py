import json

import numpy as np
import pytest
import torch

from edge_runtime.errors import InputError
from edge_runtime.preprocess import anscombe_tables
from tests.train import tiny
from train import loop, photometers, run_folder


def same(first, second):
    return all(a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a) for a, b in zip(first, second, strict=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, tiny.trained(folder)


def test_a_run_resumed_after_every_epoch_gives_the_weights_of_an_uninterrupted_one(tmp_path, whole):
    assert same(whole[1], tiny.trained(tmp_path / "every", stops=(1, 1, 1, 1, 1, None)))


def test_a_run_resumed_inside_each_tail_gives_the_weights_of_an_uninterrupted_one(tmp_path, whole):
    assert same(whole[1], tiny.trained(tmp_path / "tails", stops=(3, 2, None)))


def test_the_seed_decides_the_weights(tmp_path, whole):
    other = tiny.configuration()
    other = type(other)(seed=4, model=other.model, training=other.training, data=other.data, threshold=other.threshold)
    assert not same(whole[1], tiny.trained(tmp_path / "b", other))


def test_the_ranges_of_activations_are_learned_and_the_inputs_is_not(tmp_path):
    settings = tiny.configuration()
    run_folder.start_run(tmp_path / "run", settings, {})
    loop.train(settings, tmp_path / "run", tiny.windows(), 3)  # one epoch of the quantised tail
    early = run_folder.read_arrays(tmp_path / "run" / "checkpoint.npz")
    loop.train(settings, tmp_path / "run", tiny.windows())
    late = run_folder.read_arrays(tmp_path / "run" / "quantised.npz")
    moved = {name for name in late if name.endswith(".range_log2") and late[name] != early[f"system/{name}"]}
    still = {name for name in late if name.endswith(".range_log2")} - moved
    assert still == {"encoder.trunk.counts.range_log2"}


def test_training_lowers_the_loss_and_says_so_in_the_history(whole):
    rows = json.loads((whole[0] / "history.json").read_text())["epochs"]
    assert [row["phase"] for row in rows] == ["trunk"] * 2 + ["quantised"] * 2 + ["float_twin"] * 2
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert all(np.isfinite(value) for row in rows for value in row.values() if not isinstance(value, str))


def test_both_tails_start_from_the_trunk(tmp_path):
    settings = tiny.configuration()
    run_folder.start_run(tmp_path / "run", settings, {})
    data, tables = tiny.windows(), anscombe_tables()
    loop.train(settings, tmp_path / "run", data, settings.training.trunk_epochs)
    state = loop._restore(settings, tmp_path / "run", data)
    counts = photometers.network_input(data.counts, tables)
    noise = torch.zeros(len(counts), settings.model.latent)
    state.system.eval()
    with torch.no_grad():
        trunk = state.system.network(counts, noise)[0].logits
        for phase in ("quantised", "float_twin"):
            if phase == "float_twin":
                state.phase = 1
            loop._finish_phase(state, settings, data)
            state.system.eval()
            assert loop.PHASES[state.phase] == phase
            logits = state.system.network(counts, noise)[0].logits
            assert torch.allclose(logits, trunk, atol=1e-4 if phase == "float_twin" else 0.1 * float(trunk.abs().max()) + 0.05)


def test_a_network_put_in_and_taken_out_is_the_same(whole):
    quantised, _ = whole[1]
    system = photometers.PhotometerSystem(tiny.configuration(), "quantised", anscombe_tables())
    system.load_arrays(quantised)
    assert same((quantised,), (system.arrays(),))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "other configuration", "no place"])
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, damage):
    settings = tiny.configuration()
    run_folder.start_run(tmp_path / "run", settings, {})
    loop.train(settings, tmp_path / "run", tiny.windows(), 1)
    path = tmp_path / "run" / "checkpoint.npz"
    data = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(data[:len(data) // 2])
    elif damage == "flipped":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "other configuration":
        settings = tiny.configuration(latent=5)
    else:
        arrays = run_folder.read_arrays(path)
        del arrays["place"]
        run_folder.write_arrays(path, arrays)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"checkpoint\.npz"):
        loop.train(settings, tmp_path / "run", tiny.windows())
    assert path.read_bytes() == before
