"""Names and shapes of every parameter of a network, told by its configuration alone: doors check arrays by them, and need no torch."""

from itertools import pairwise

from edge_runtime.flagging import CLASSES
from edge_runtime.pixels import WINDOW_FRAMES

from .configuration import ModelConfiguration, PixelModelConfiguration
from .configuration2020 import Model2020

AnyModel = ModelConfiguration | PixelModelConfiguration | Model2020
MARGIN = 1  # samples of the decoder's innermost map beyond either end of the window
Shapes = dict[str, tuple[int, ...]]


def float_shapes(model: AnyModel) -> Shapes:
    """Shape of every parameter of the float network of a configuration, by name."""
    if isinstance(model, Model2020):
        return shapes2020(model)
    return _photometer_shapes(model) if isinstance(model, ModelConfiguration) else _pixel_shapes(model)


def range_shapes(model: AnyModel) -> Shapes:
    """The scalars that the quantised network has besides: log2 of the range of every activation."""
    if isinstance(model, Model2020):
        return {}
    if isinstance(model, PixelModelConfiguration):
        names = ["codes", *(f"layers.{2 * index + 1}" for index in range(len(model.hidden) + 1))]
        return {f"{name}.range_log2": () for name in names}
    names = ["encoder.trunk.counts", "encoder.mean.1", "encoder.log_variance.1", "encoder.head.1", "encoder.head.3", "decoder.dense.1"]
    names += [f"encoder.trunk.layers.{2 * index + 1}" for index in range(len(model.channels))]
    names += [f"decoder.widen.{2 * index + 1}" for index in range(len(model.decoder_channels))]
    return {f"{name}.range_log2": () for name in names}


def trunk_shapes(model: AnyModel) -> Shapes:
    """`float_shapes`, and the batch normalisation that only the trunk has."""
    if isinstance(model, Model2020):
        return shapes2020(model)
    if isinstance(model, PixelModelConfiguration):
        norms = {f"layers.{2 * index}": width for index, width in enumerate((*model.hidden, 1))}
    else:
        norms = {f"encoder.trunk.layers.{2 * index}": width for index, width in enumerate(model.channels)}
        norms |= {f"decoder.widen.{2 * index}": width for index, width in enumerate(model.decoder_channels[1:])}
    shapes = float_shapes(model)
    for name, width in norms.items():
        shapes |= {f"{name}.norm.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{name}.norm.num_batches_tracked"] = ()
    return shapes


def shapes2020(model: Model2020) -> Shapes:
    """Of the 2020 report's network, its batch normalisation included, which it keeps: models/cvae2020.py."""
    shapes: Shapes = {}
    flat = 3 * innermost2020(model.samples)
    encoder = {0: (3, 1, 4), 4: (15, 3, 4), 8: (9, 15, 4), 12: (3, 9, 4), 16: (500, flat), 18: (250, 500), 20: (2 * model.latent, 250)}
    decoder = {0: (250, model.latent), 2: (500, 250), 4: (flat, 500), 7: (3, 9, 4), 11: (9, 15, 4), 15: (15, 3, 4), 19: (3, 3, 4), 22: (3, 1, 4)}
    for part, weights, norms in (("encoder", encoder, {3: 3, 7: 15, 11: 9}), ("decoder", decoder, {10: 9, 14: 15, 18: 3, 21: 3})):
        for index, weight in weights.items():
            transposed = part == "decoder" and len(weight) == 3
            shapes[f"{part}.{index}.weight"], shapes[f"{part}.{index}.bias"] = weight, (weight[1 if transposed else 0],)
        for index, width in norms.items():
            shapes |= {f"{part}.{index}.{name}": (width,) for name in ("weight", "bias", "running_mean", "running_var")}
            shapes[f"{part}.{index}.num_batches_tracked"] = ()
    return shapes


def innermost(model: ModelConfiguration) -> int:
    """Samples of the photometers' decoder's innermost map: those of the window, halved by each doubling to come, and MARGIN beyond either end."""
    return (model.samples >> len(model.decoder_channels)) + 2 * MARGIN


def innermost2020(samples: int) -> int:
    """Samples of the innermost map of the 2020 report's network; 233 for slices of 5,000."""
    length = (3 * samples - 3) // 2
    for _ in range(2):
        length = ((length - 4) // 2 + 1) // 2
    return (length - 4) // 2 + 1


def _pixel_shapes(model: PixelModelConfiguration) -> Shapes:
    shapes: Shapes = {}
    for index, (source, target) in enumerate(pairwise((WINDOW_FRAMES, *model.hidden, 1))):
        shapes[f"layers.{2 * index}.weight"], shapes[f"layers.{2 * index}.bias"] = (target, source, 1), (target,)
    return shapes


def _photometer_shapes(model: ModelConfiguration) -> Shapes:
    shapes: Shapes = {}

    def layer(name: str, weight: tuple[int, ...], bias: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, (bias,)

    source, length = 3, model.samples
    for index, (target, kernel, stride) in enumerate(zip(model.channels, model.kernels, model.strides, strict=True)):
        layer(f"encoder.trunk.layers.{2 * index}", (target, source, kernel), target)
        source, length = target, (length - 1) // stride + 1
    layer("encoder.mean.0", (model.latent, source * length), model.latent)
    layer("encoder.log_variance.0", (model.latent, source * length), model.latent)
    layer("encoder.head.0", (model.head, source), model.head)
    layer("encoder.head.2", (len(CLASSES), model.head), len(CLASSES))
    channels = (*model.decoder_channels, 3)
    width = channels[0] * innermost(model)
    layer("decoder.dense.0", (width, model.latent), width)
    for index, (source, target) in enumerate(pairwise(channels)):
        layer(f"decoder.widen.{2 * index}", (source, target, 4), target)
    parameter = {"gaussian": "log_sigma", "beta": "log_concentration"}.get(model.observation)
    if parameter is not None:
        shapes[f"observation.{parameter}"] = (3, 1)
    return shapes
