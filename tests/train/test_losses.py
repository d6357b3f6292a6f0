import numpy as np
import pytest
import torch
from scipy import stats

from train import losses
from train.models.cvae import Posterior

COUNTS = torch.tensor(np.random.default_rng(0).poisson([[[0.004], [0.7], [40.0]]] * 2, (2, 3, 50)), dtype=torch.float32)


def test_poisson_is_the_poisson_law_down_to_the_darkest_channel():
    rate = np.array([0.004, 0.7, 40.0])
    expected = stats.poisson.logpmf(COUNTS.numpy(), rate[:, None])
    pre_activation = torch.tensor(np.log(rate), dtype=torch.float32)[:, None].expand_as(COUNTS)
    assert losses.Poisson().log_likelihood(pre_activation, COUNTS).numpy() == pytest.approx(expected, rel=1e-4)


def test_a_particle_hit_is_a_law_of_its_own_that_adds_up_to_one_and_costs_little():
    model, counts = losses.HitPoisson(), torch.arange(20_000, dtype=torch.float32).expand(1, 3, -1)
    pre_activation = torch.tensor([[[-5.0], [0.0], [3.0]]])
    law = model.log_likelihood(pre_activation, counts).double().exp()
    assert law.sum(2).numpy() == pytest.approx(1.0, abs=1e-4)
    light = stats.poisson.pmf(np.arange(60), np.exp(3.0))
    hit = 6 / np.pi**2 / (np.arange(60) + 1.0) ** 2
    assert law[0, 2, :60].numpy() == pytest.approx(0.999 * light + 0.001 * hit, rel=1e-4)
    cost = [-float(one.log_likelihood(pre_activation, counts)[0, 0, 100]) for one in (model, losses.Poisson())]  # of 100 counts in the dark
    assert 15 < cost[0] < 20 and cost[1] > 300


def test_weights_are_those_of_the_uv_channel_and_of_the_edges():
    from train.configuration import TrainingConfiguration

    assert (losses.sample_weights(TrainingConfiguration(), 1040) == 1).all()
    weights = losses.sample_weights(TrainingConfiguration(uv_weight=4.0, edge_weight=2.0), 1040).numpy()
    assert weights.shape == (3, 1040) and (weights[0, 52:-52] == 1).all() and (weights[1, 52:-52] == 4).all()
    assert (weights[2, :52] == 2).all() and (weights[2, -52:] == 2).all() and weights[1, 0] == weights[1, -1] == 8


def test_gaussian_is_the_normal_law_of_the_transformed_counts():
    model = losses.Gaussian()
    with torch.no_grad():
        model.log_sigma.copy_(torch.tensor([[-1.0], [0.0], [0.5]]))
    mean = torch.full_like(COUNTS, 2.0)
    expected = stats.norm.logpdf(2 * np.sqrt(COUNTS.numpy() + 3 / 8), 2.0, np.exp([[-1.0], [0.0], [0.5]]))
    assert model.log_likelihood(mean, COUNTS).detach().numpy() == pytest.approx(expected, rel=1e-5)


def test_the_optimal_sigma_is_no_worse_than_any_other():
    mean = torch.full_like(COUNTS, 2.0)
    best = losses.OptimalGaussian().log_likelihood(mean, COUNTS).sum()
    for log_sigma in (-1.0, -0.3, 0.0, 0.7, 2.0):
        model = losses.Gaussian()
        with torch.no_grad():
            model.log_sigma.fill_(log_sigma)
        assert model.log_likelihood(mean, COUNTS).sum() <= best + 1e-3


def test_beta_is_the_beta_law_of_the_share_of_full_counts():
    model = losses.BetaDistribution()
    pre_activation = torch.tensor([[-5.0], [-3.0], [-2.0]]).expand(2, 3, 50)
    m, c = 1 / (1 + np.exp(-pre_activation.numpy())), np.exp(5.0)
    expected = stats.beta.logpdf((COUNTS.numpy() + 0.5) / 1056, m * c, (1 - m) * c)
    assert model.log_likelihood(pre_activation, COUNTS).detach().numpy() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", losses.MODELS)
def test_of_all_constants_the_one_called_constant_is_near_the_likeliest_and_expects_the_mean(name):
    model = losses.MODELS[name]()
    counts = torch.tensor(np.random.default_rng(1).poisson(20.0, (1, 3, 1040)), dtype=torch.float32)
    constant = model.constant(counts)
    with torch.no_grad():
        best = model.log_likelihood(constant, counts).sum()
        assert model.log_likelihood(constant + 0.5, counts).sum() < best
        assert model.log_likelihood(constant - 0.5, counts).sum() < best
    assert model.expected_counts(constant.numpy()) == pytest.approx(counts.mean(2, keepdim=True).numpy(), rel=0.02)


def test_kl_is_that_of_two_normal_laws():
    posterior = Posterior(torch.tensor([[0.5, -2.0]]), torch.tensor([[0.3, -1.0]]), torch.zeros(1, 5))
    normal = torch.distributions.Normal
    expected = torch.distributions.kl_divergence(normal(posterior.mean, (posterior.log_variance / 2).exp()), normal(0.0, 1.0)).sum(1)
    assert torch.allclose(losses.kl(posterior), expected)
    assert losses.kl(Posterior(torch.zeros(1, 4), torch.zeros(1, 4), torch.zeros(1, 5))) == 0


def test_weak_light_takes_no_part_in_the_cross_entropy():
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    losses.cross_entropy(logits, torch.tensor([0, 4, -1, 2])).backward()
    assert (logits.grad[2] == 0).all() and (logits.grad[[0, 1, 3]] != 0).any(1).all()
    assert losses.cross_entropy(logits, torch.full((4,), -1)) == 0
