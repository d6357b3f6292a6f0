import json

import pytest

from edge_runtime.errors import InputError
from train.configuration import Configuration, PixelConfiguration, configuration_from_document, read_configuration, settings_file


def written(tmp_path, text):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    return path


KINDS = {"mmia": Configuration, "minieuso": PixelConfiguration}


@pytest.mark.parametrize("task", KINDS)
@pytest.mark.parametrize("name", ["demo", "full"])
def test_the_settings_that_come_with_us_are_valid(name, task):
    assert isinstance(read_configuration(settings_file(task, name), task=task), KINDS[task])


@pytest.mark.parametrize("task", KINDS)
def test_a_configuration_survives_json(task):
    configuration = read_configuration(task=task)
    assert configuration_from_document(json.loads(json.dumps(configuration.to_document())), "test", task) == configuration


@pytest.mark.parametrize(("text", "field", "remedy"), [
    ("[data]\nsessions = [5, 10]", "data.sessions[1]", "left out"),
    ("[data]\nsessions = [5, 7]", "data.calibration_sessions", "not learned from"),
    ("[training]\nbeta = 1.0", "training.beta", "nearest"),
    ("[threshold]\nfalse_flags = 0.0", "threshold.false_flags", "between"),
])
def test_bad_settings_of_the_pixels_are_refused_with_field_and_remedy(tmp_path, text, field, remedy):
    with pytest.raises(InputError) as refused:
        read_configuration(written(tmp_path, text), task="minieuso")
    assert f"settings.toml: {field}: " in str(refused.value) and remedy in str(refused.value)


def test_the_command_line_overrides_seed_epochs_and_threads(tmp_path):
    found = read_configuration(written(tmp_path, "seed = 1\n[training]\ntrunk_epochs = 9\n"), seed=7, epochs=2, threads=3)
    assert (found.seed, found.training.trunk_epochs, found.training.threads) == (7, 2, 3)


@pytest.mark.parametrize(("text", "field", "remedy"), [
    ("[model]\nlatnet = 3", "model.latnet", "model.latent"),
    ("sed = 3", "sed", "seed"),
    ("[model]\nlatent = 3.0", "model.latent", "integer"),
    ("[model]\nlatent = true", "model.latent", "integer"),
    ("[model]\nlatent = 0", "model.latent", "between"),
    ("[training]\nlearning_rate = nan", "training.learning_rate", "finite"),
    ("[training]\nlearning_rate = inf", "training.learning_rate", "finite"),
    ("[training]\nlearning_rate = '0.1'", "training.learning_rate", "number"),
    ("[training]\nbeta = -1", "training.beta", "between"),
    ("[model]\nchannels = 8", "model.channels", "list"),
    ("[model]\nchannels = [8, 8]", "model.kernels", "as many"),
    ("[model]\nchannels = [8, -8, 8, 8, 8, 8]", "model.channels[1]", "between"),
    ("[model]\nkernels = [4, 5, 5, 5, 5, 5]", "model.kernels[0]", "odd"),
    ("[model]\nstrides = [8, 8, 8, 8, 8, 8]", "model.strides", "1040"),
    ("[model]\ndecoder_channels = [8, 8, 8, 8, 8]", "model.decoder_channels", "halved"),
    ("[model]\nobservation = 'student'", "model.observation", "poisson"),
    ("model = 3", "model", "table"),
    ("seed = -1", "seed", "between"),
    ("seed = ", "TOML", "demo.toml"),
    ("seed = 1\nseed = 2", "TOML", "demo.toml"),
])
def test_bad_settings_are_refused_with_field_and_remedy(tmp_path, text, field, remedy):
    with pytest.raises(InputError) as refused:
        read_configuration(written(tmp_path, text))
    assert f"settings.toml: {field}: " in str(refused.value) and remedy in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "settings.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="TOML"):
        read_configuration(tmp_path / "settings.toml")
