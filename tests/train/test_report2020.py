import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import beta as beta_law

from edge_runtime.cli import run_verb
from edge_runtime.errors import InputError
from tests.train import tiny, tiny2020
from train import loop, report2020, run_folder
from train.checkpoint import read_checkpoint
from train.models.cvae2020 import Answer2020
from train.train_verb import TRAIN


def answer(k: int = 3, latent: int = 4, n: int = 6) -> Answer2020:
    rng = np.random.default_rng(2)
    return Answer2020(*(torch.from_numpy(rng.normal(0, 1, shape)) for shape in ((k, latent), (k, latent), (k, n), (k, n))))


def test_the_likelihood_is_the_beta_laws():
    said, x = answer(), torch.from_numpy(np.random.default_rng(3).uniform(0.01, 0.99, (3, 1, 6)))
    expected = beta_law.logpdf(x[:, 0].numpy(), said.log_alpha.exp().numpy(), said.log_beta.exp().numpy())
    assert report2020.log_likelihood(said, x).numpy() == pytest.approx(expected)


def test_the_likelihood_has_a_gradient_where_a_parameter_of_the_law_does_not_fill_a_float32():
    log_alpha, log_beta = torch.full((1, 1), -100.0, requires_grad=True), torch.full((1, 1), 2.0, requires_grad=True)
    found = report2020.log_likelihood(Answer2020(torch.zeros(1, 4), torch.zeros(1, 4), log_alpha, log_beta), torch.full((1, 1, 1), 0.25))
    found.sum().backward()
    # For small alpha the density is alpha (1 - x)^(beta - 1) / x, so ln alpha counts once.
    assert found.item() == pytest.approx(-100 + (math.exp(2) - 1) * math.log(0.75) - math.log(0.25), rel=1e-5)
    assert log_alpha.grad.item() == pytest.approx(1) and log_beta.grad.item() == pytest.approx(math.exp(2) * math.log(0.75), rel=1e-4)


def test_the_divergence_is_that_of_two_normal_laws_and_as_printed_twice_that():
    said = answer()
    laws = torch.distributions.Normal(said.mean, said.log_sigma.exp()), torch.distributions.Normal(torch.tensor(0.0), torch.tensor(1.0))
    expected = torch.distributions.kl_divergence(*laws).sum(1).numpy()
    assert report2020.kl(said).numpy() == pytest.approx(expected)
    assert report2020.kl_as_printed(said).numpy() == pytest.approx(2 * expected)


@pytest.mark.parametrize(("divergence", "weight"), [("kl", 1.0), ("as_printed", 2.0)])
def test_the_loss_is_the_negative_evidence_lower_bound_per_slice(divergence, weight):
    settings, data = tiny2020.configuration(divergence=divergence, beta=0.5), tiny2020.slices()
    torch.manual_seed(1)
    system = data.system(settings, "trunk")
    loss, told = data.loss(system, settings, np.arange(8), torch.Generator().manual_seed(5), 1.0)
    assert loss.item() == pytest.approx((0.5 * weight * told["kl"] - told["log_likelihood"]) / 8, rel=1e-5)
    assert data.row({**told, "updates": 3})["updates"] == 3


def test_the_divergence_warms_up():
    settings, data = tiny2020.configuration(warm_up_epochs=10), tiny2020.slices()
    torch.manual_seed(1)
    system = data.system(settings, "trunk")
    losses = [data.loss(system, settings, np.arange(8), torch.Generator().manual_seed(5), done)[0].item() for done in (0.0, 5.0, 10.0, 20.0)]
    assert losses[1] - losses[0] == pytest.approx(losses[2] - losses[1], rel=0.05) and losses[3] == losses[2] > losses[0]


def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one_dropout_included(tmp_path):
    whole, resumed = tiny2020.trained(tmp_path / "whole"), tiny2020.trained(tmp_path / "resumed", stops=(1, 1, None))
    assert whole.keys() == resumed.keys() and all(np.array_equal(whole[name], resumed[name]) for name in whole)
    rows = json.loads((tmp_path / "whole" / "history.json").read_text())["epochs"]
    assert [row["updates"] for row in rows] == [3, 3, 3] and len({row["learning_rate"] for row in rows}) == 1
    assert rows[-1]["loss"] < rows[0]["loss"] and not (tmp_path / "whole" / "quantised.npz").exists()


def test_the_checkpoint_of_another_network_is_refused(tmp_path):
    settings = tiny2020.configuration()
    run_folder.start_run(tmp_path / "run", settings, {})
    loop.train(settings, tmp_path / "run", tiny2020.slices(), 1)
    assert read_checkpoint(tmp_path / "run", settings).epoch == 1
    with pytest.raises(InputError, match="system/"):
        read_checkpoint(tmp_path / "run", replace(settings, model=replace(settings.model, latent=5)))


def test_each_kind_of_run_is_read_by_its_own_door(tmp_path):
    ours, theirs = tiny.finished(tmp_path / "ours"), tiny2020.finished(tmp_path / "theirs")
    assert run_folder.read_run2020(theirs).trunk["encoder.20.weight"].shape == (8, 250)
    with pytest.raises(InputError, match="neither exported nor benchmarked"):
        run_folder.read_run(theirs)
    with pytest.raises(InputError, match="no run of the 2020 report"):
        run_folder.read_run2020(ours)
    (theirs / "trunk.npz").write_bytes((theirs / "trunk.npz").read_bytes()[:-1])
    with pytest.raises(InputError, match="SHA-256"):
        run_folder.read_run2020(theirs)


def test_the_verb_trains_scores_and_says_how_far_it_came(tmp_path, monkeypatch):
    monkeypatch.setattr(report2020, "HELD_OUT", 20)
    settings = tmp_path / "small.toml"
    settings.write_text('network = "cvae2020"\n[model]\nsamples = 500\nlatent = 4\n[training]\ntrunk_epochs = 1\nthreads = 1\n[data]\nslices = 30\n')
    assert run_verb("pixie", {"train": TRAIN}, ["train", "mmia", "--out", str(tmp_path / "run"), "--config", str(settings)]) == 0
    run = run_folder.read_run2020(tmp_path / "run")
    achieved = run.calibration["achieved"]
    assert achieved["updates"] == 1 and achieved["kl_as_printed"] == pytest.approx(2 * achieved["kl"])
    assert math.isfinite(achieved["log_likelihood"]) and "1 of the report's 34,500 updates" in report2020.told(run.calibration)
