import numpy as np
import pytest
import torch

from train.configuration2020 import Model2020
from train.models.cvae2020 import Cvae2020
from train.shapes import float_shapes, innermost2020


def test_the_network_has_as_many_parameters_as_the_reports():
    assert sum(parameter.numel() for parameter in Cvae2020(Model2020()).parameters()) == 990_690


@pytest.mark.parametrize(("model", "innermost"), [(Model2020(), 233), (Model2020(4, 100), 3), (Model2020(7, 1_040), 47)])
def test_shapes_are_told_without_torch(model, innermost):
    network = Cvae2020(model)
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == float_shapes(model)
    assert innermost2020(model.samples) == innermost
    answer = network(torch.rand(2, 1, 3 * model.samples), torch.zeros(2, model.latent))
    assert answer.mean.shape == answer.log_sigma.shape == (2, model.latent)
    assert answer.log_alpha.shape == answer.log_beta.shape == (2, 3 * model.samples)


def test_noise_is_scaled_by_sigma_before_it_is_decoded():
    torch.manual_seed(1)
    network = Cvae2020(Model2020(4, 100)).eval()
    x, noise = torch.rand(2, 1, 300), torch.randn(2, 4)
    with torch.no_grad():
        answer = network(x, noise)
        decoded = network.decoder(answer.mean + answer.log_sigma.exp() * noise)[:, 0]
    assert np.array_equal(decoded[:, :300], answer.log_alpha) and np.array_equal(decoded[:, 300:], answer.log_beta)
