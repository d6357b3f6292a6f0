import brevitas.nn as qnn
import numpy as np
import pytest
import torch

from edge_runtime.preprocess import anscombe_tables
from tests.train import tiny
from train import photometers, run_folder
from train.models.layers import FloatLayers, NormalisedLayers, QuantisedLayers, fold, load_state, scale_of


def shapes(system):
    return {name: value.shape for name, value in system.arrays().items()}


@pytest.mark.parametrize("model", [{}, {"latent": 50}, {"observation": "gaussian"}, {"observation": "beta", "strides": [2, 2]}])
def test_shapes_are_those_the_run_folder_expects(model):
    configuration = tiny.configuration(**model)
    expected = run_folder.float_shapes(configuration.model)
    assert shapes(photometers.PhotometerSystem(configuration, "float_twin", anscombe_tables())) == expected
    assert shapes(photometers.PhotometerSystem(configuration, "quantised", anscombe_tables())) == expected | run_folder.range_shapes(configuration.model)


def test_outputs_have_the_documented_shapes():
    system = photometers.PhotometerSystem(tiny.configuration(), "quantised", anscombe_tables())
    posterior, pre_activation = system.network(torch.zeros(2, 3, 1040), torch.zeros(2, 3))
    assert [tuple(t.shape) for t in (posterior.mean, posterior.log_variance, posterior.logits, pre_activation)] == [(2, 3), (2, 3), (2, 5), (2, 3, 1040)]


def test_the_quantised_input_has_the_codes_and_the_scale_of_the_preprocessing():
    tables = anscombe_tables()
    system = photometers.PhotometerSystem(tiny.configuration(), "quantised", tables)
    counts = np.arange(1024, dtype=np.uint16).reshape(1, 1, -1).repeat(3, axis=1)
    quantised = system.network.encoder.trunk.counts(photometers.network_input(counts, tables))
    assert np.array_equal(quantised.int().numpy().astype(np.int16) - 128, tables.quantise(counts))
    assert scale_of(system.network.encoder.trunk.counts) == tables.scale


def test_counts_of_a_scale_that_is_no_power_of_two_are_refused():
    with pytest.raises(ValueError, match="power of two"):
        QuantisedLayers(0.3)


def test_every_scale_is_a_power_of_two():
    system = photometers.PhotometerSystem(tiny.configuration(), "quantised", anscombe_tables()).eval()
    with torch.no_grad():
        for parameter in system.parameters():
            parameter.add_(torch.rand_like(parameter))
        system.network(torch.zeros(1, 3, 1040), torch.zeros(1, 3))
    scales = [module.quant_weight().scale for module in system.modules() if hasattr(module, "quant_weight")]
    scales += [torch.tensor(scale_of(module)) for module in system.modules() if isinstance(module, (qnn.QuantReLU, qnn.QuantIdentity))]
    assert len(scales) > 15 and all((torch.frexp(scale).mantissa == 0.5).all() for scale in scales)


def test_folded_batch_normalisation_computes_the_same():
    torch.manual_seed(0)
    for layer, length in ((lambda kind: kind.conv(3, 4, 5, 2), 32), (lambda kind: kind.transposed(3, 4, True), 16)):
        normalised, plain = layer(NormalisedLayers()), layer(FloatLayers())
        normalised.train()
        for _ in range(5):
            normalised(torch.randn(8, 3, length) * 3 + 1)
        normalised.eval()
        with torch.no_grad():
            normalised.norm.weight.uniform_(0.5, 2.0)
            normalised.norm.bias.uniform_(-1.0, 1.0)
            load_state(plain, fold(normalised))
            value = torch.randn(2, 3, length)
            assert torch.allclose(plain(value), normalised(value), atol=1e-5)


def test_decoding_a_latent_on_its_grid_and_off_it_by_less_than_half_a_step_is_the_same():
    torch.manual_seed(0)
    system = photometers.PhotometerSystem(tiny.configuration(), "quantised", anscombe_tables()).eval()
    step = scale_of(system.network.encoder.mean[1])
    codes = torch.tensor([[-128.0, 3.0, 127.0]])
    with torch.no_grad():
        assert torch.equal(system.network.decode(codes * step), system.network.decode((codes + 0.4) * step))
