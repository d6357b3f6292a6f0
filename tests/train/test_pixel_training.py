"""The pixel network learns, is what `train.shapes` says, and the numbers that fly are those of Brevitas."""

import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from edge_runtime.frames import FrameStretch
from edge_runtime.pixels import WINDOW_FRAMES, PixelCodes, stretch_codes
from export.pixel_manifest import extreme_inputs
from train import loop, run_folder
from train.configuration import PixelConfiguration, PixelModelConfiguration, configuration_from_document
from train.models.layers import scale_of
from train.pixels.training import Frozen, PixelSet, PixelSystem, network_input, noise_input, scores
from train.shapes import float_shapes, range_shapes, trunk_shapes


def configuration(**settings: object) -> PixelConfiguration:
    """As small as a schedule can be."""
    training = {"trunk_epochs": 2, "tail_epochs": 2, "batch": 32, "learning_rate": 0.01, "noise": 0}
    return configuration_from_document({"seed": 5, "training": training, **settings}, "test", "minieuso")


def windows(seed: int = 0, count: int = 300) -> PixelSet:
    """Noise, in every third window with a pulse in the middle."""
    rng = np.random.default_rng(seed)
    meteor = np.arange(count) % 3 == 0
    pulse = 30 * np.exp(-0.5 * ((np.arange(WINDOW_FRAMES) - WINDOW_FRAMES // 2) / 2) ** 2)
    return PixelSet(np.rint(rng.normal(0, 3, (count, WINDOW_FRAMES)) + meteor[:, None] * pulse).astype(np.int8), meteor)


def trained(folder, settings=None, stops=(None,)):
    """Train into `folder`, interrupted after each of `stops` epochs: parameters of the quantised network and of its twin."""
    settings = settings or configuration()
    run_folder.start_run(folder, settings, {})
    for stop in stops:
        loop.train(settings, folder, windows(), stop)
    return run_folder.read_arrays(folder / "quantised.npz"), run_folder.read_arrays(folder / "float_twin.npz")


def system(arrays, kind="quantised"):
    made = PixelSystem(configuration(), kind)
    made.load_arrays(arrays)
    return made.eval()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pixel_training") / "run"
    return folder, *trained(folder)


@pytest.mark.parametrize("hidden", [(64, 32), (3,), (5, 4, 2)])
def test_the_networks_have_the_parameters_that_their_configuration_tells(hidden):
    model = PixelModelConfiguration(hidden)
    expected = {"trunk": trunk_shapes(model), "float_twin": float_shapes(model), "quantised": float_shapes(model) | range_shapes(model)}
    for kind, shapes in expected.items():
        made = PixelSystem(replace(configuration(), model=model), kind)
        assert {name: value.shape for name, value in made.arrays().items()} == shapes
        assert made.network(torch.zeros(2, WINDOW_FRAMES, 3)).shape == (2, 1, 3)
    layers = [48, *hidden, 1]
    assert sum(math.prod(shape) for shape in expected["float_twin"].values()) == sum((a + 1) * b for a, b in pairwise(layers))


def test_a_pixel_is_judged_by_itself(run):
    codes = windows(1, 12).codes
    beside = torch.from_numpy((codes * PixelCodes().scale).astype(np.float32).T[None].copy())  # [1, 48, 12], as in the flight file
    with torch.no_grad():
        network = system(run[1]).network
        assert torch.equal(network(beside)[0, 0], network(network_input(codes))[:, 0, 0])


def test_it_learns_what_a_pulse_in_the_middle_is(run):
    folder, quantised, twin = run
    rows = json.loads((folder / "history.json").read_text())["epochs"]
    assert [row["phase"] for row in rows] == ["trunk"] * 2 + ["quantised"] * 2 + ["float_twin"] * 2
    assert rows[-1]["loss"] < rows[0]["loss"] and all(0 <= row["accuracy"] <= 1 for row in rows)
    test = windows(7)
    for found in (Frozen(system(quantised)).logit_codes(test.codes), scores(system(twin, "float_twin"), test.codes)):
        assert ((found > 0) == test.meteor).mean() > 0.9
    early = test.codes[test.meteor]
    assert np.median(Frozen(system(quantised)).logit_codes(np.roll(early, 15, axis=1))) < 0 < np.median(Frozen(system(quantised)).logit_codes(early))


def test_scores_are_the_networks_logits_in_eval_mode(run):
    codes, twin = windows(2, 9).codes, system(run[2], "float_twin")
    value = codes.astype(np.float64) * 0.25
    for index in range(3):
        value = value @ run[2][f"layers.{2 * index}.weight"][:, :, 0].T.astype(np.float64) + run[2][f"layers.{2 * index}.bias"]
        value = np.maximum(value, 0) if index < 2 else value
    assert scores(twin, codes) == pytest.approx(value[:, 0], rel=1e-4, abs=1e-4)


def test_the_frozen_network_gives_brevitas_codes_bit_for_bit(run):
    codes = np.concatenate([extreme_inputs(3)[0, 0], windows(4).codes, np.rint(np.random.default_rng(5).normal(0, 12, (4000, 48))).astype(np.int8)])
    made = system(run[1])
    with torch.no_grad():
        logits = made.network(network_input(codes))[:, 0, 0].numpy().astype(np.float64)
    frozen = Frozen(made)
    found = frozen.logit_codes(codes)
    assert found.dtype == np.int8 and len(np.unique(found)) > 50 and found.max() == 127  # saturation among them
    assert np.array_equal(found * frozen.scale, logits)
    assert np.array_equal(Frozen(system(run[1])).logit_codes(codes[::-1])[::-1], found)


def test_every_scale_is_a_power_of_two(run):
    made = system(run[1])
    made.network(network_input(windows().codes))
    layers = list(made.network.layers)
    scales = [scale_of(made.network.codes), *(scale_of(one) for one in layers[1::2]), *np.concatenate([one.quant_weight().scale.detach().numpy().ravel()
                                                                                                         for one in layers[::2]]).tolist()]
    assert len(scales) == 1 + 3 + 64 + 32 + 1 and {math.frexp(scale)[0] for scale in scales} == {0.5}
    assert scales[0] == PixelCodes().scale and Frozen(made).scale == scales[3]


def test_a_run_interrupted_and_resumed_gives_the_same_arrays(run, tmp_path):
    parts = trained(tmp_path / "every", stops=(1, 1, 1, 1, 1, None)), trained(tmp_path / "inside", stops=(3, 2, None))
    for part in parts:
        for arrays, expected in zip(part, run[1:], strict=True):
            assert arrays.keys() == expected.keys() and all(np.array_equal(arrays[name], expected[name]) for name in expected)
    assert any(not np.array_equal(value, run[1][name]) for name, value in trained(tmp_path / "other", configuration(seed=6))[0].items())


def test_labels_are_smoothed_as_configured():
    data, settings = windows(), configuration()
    made = PixelSystem(settings, "float_twin")
    chosen = np.arange(9)
    with torch.no_grad():
        losses = [data.loss(made, configuration(training={"smoothing": smoothing, "noise": 0}), chosen, torch.Generator(), 0.0)[0].item()
                  for smoothing in (0.0, 0.1)]
        logit = made.network(network_input(data.codes[chosen]))[:, 0, 0].double().numpy()
    for loss, smoothing in zip(losses, (0.0, 0.1), strict=True):
        label = np.where(data.meteor[chosen], 1 - smoothing, smoothing)
        assert loss == pytest.approx(np.mean(np.logaddexp(0, logit) - label * logit), rel=1e-5)


def test_noise_is_that_of_a_steady_pixel_on_the_grid_of_the_codes():
    drawn = noise_input(2000, torch.Generator().manual_seed(1))
    assert drawn.shape == (2000, WINDOW_FRAMES, 1) and torch.equal(drawn, noise_input(2000, torch.Generator().manual_seed(1)))
    sums = np.random.default_rng(2).poisson(10_000, (400, 48, 48)).astype(np.uint32)
    codes, _ = stretch_codes(PixelCodes(), FrameStretch(sums, np.zeros(sums.shape, bool), None, 0))
    steady = codes[100:].astype(np.float64) * PixelCodes().scale  # the level, which follows, is known by then
    assert torch.equal(drawn * 4, torch.round(drawn * 4))
    assert (drawn.mean().item(), drawn.std().item()) == pytest.approx((steady.mean(), steady.std()), abs=0.02)


def test_noise_windows_are_learned_as_no_meteor():
    data, chosen = windows(), np.arange(9)
    made = PixelSystem(configuration(), "float_twin")
    settings = configuration(training={"smoothing": 0.0, "noise": 40})
    with torch.no_grad():
        loss, sums = data.loss(made, settings, chosen, torch.Generator().manual_seed(7), 0.0)
        noise = noise_input(40, torch.Generator().manual_seed(7))
        logit = made.network(torch.cat([network_input(data.codes[chosen]), noise]))[:, 0, 0].double().numpy()
    label = np.concatenate([data.meteor[chosen], np.zeros(40)])
    assert loss.item() == pytest.approx(np.mean(np.logaddexp(0, logit) - label * logit), rel=1e-5) and sums["windows"] == 9
