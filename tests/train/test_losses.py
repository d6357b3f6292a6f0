import numpy as np
import pytest
import torch
from scipy import stats

from train import losses
from train.models.cvae import Posterior

COUNTS = torch.tensor(np.random.default_rng(0).poisson([[[0.004], [0.7], [40.0]]] * 2, (2, 3, 50)), dtype=torch.float32)


def test_poisson_is_the_poisson_law_down_to_the_darkest_channel():
    rate = np.array([0.004, 0.7, 40.0])
    expected = stats.poisson.logpmf(COUNTS.numpy(), rate[:, None]).sum((1, 2))
    pre_activation = torch.tensor(np.log(rate), dtype=torch.float32)[:, None].expand_as(COUNTS)
    assert losses.Poisson().log_likelihood(pre_activation, COUNTS).numpy() == pytest.approx(expected, rel=1e-5)


def test_gaussian_is_the_normal_law_of_the_transformed_counts():
    model = losses.Gaussian()
    with torch.no_grad():
        model.log_sigma.copy_(torch.tensor([[-1.0], [0.0], [0.5]]))
    mean = torch.full_like(COUNTS, 2.0)
    expected = stats.norm.logpdf(2 * np.sqrt(COUNTS.numpy() + 3 / 8), 2.0, np.exp([[-1.0], [0.0], [0.5]])).sum((1, 2))
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
    expected = stats.beta.logpdf((COUNTS.numpy() + 0.5) / 1056, m * c, (1 - m) * c).sum((1, 2))
    assert model.log_likelihood(pre_activation, COUNTS).detach().numpy() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", losses.MODELS)
def test_of_all_constants_the_one_called_constant_is_near_the_likeliest_and_expects_the_mean(name):
    model = losses.MODELS[name]()
    counts = torch.tensor(np.random.default_rng(1).poisson(20.0, (1, 3, 1040)), dtype=torch.float32)
    constant = model.constant(counts)
    with torch.no_grad():
        best = model.log_likelihood(constant, counts)
        assert (model.log_likelihood(constant + 0.5, counts) < best).all()
        assert (model.log_likelihood(constant - 0.5, counts) < best).all()
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
