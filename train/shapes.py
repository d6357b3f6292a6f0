"""Names and shapes of every parameter of a network, told by its configuration alone: doors check arrays by them, and need no torch."""

from itertools import pairwise

from edge_runtime.flagging import CLASSES
from edge_runtime.pixels import WINDOW_FRAMES
from edge_runtime.preprocess import WINDOW_SAMPLES

from .configuration import ModelConfiguration, PixelModelConfiguration

AnyModel = ModelConfiguration | PixelModelConfiguration
Shapes = dict[str, tuple[int, ...]]


def float_shapes(model: AnyModel) -> Shapes:
    """Shape of every parameter of the float network of a configuration, by name."""
    return _photometer_shapes(model) if isinstance(model, ModelConfiguration) else _pixel_shapes(model)


def range_shapes(model: AnyModel) -> Shapes:
    """The scalars that the quantised network has besides: log2 of the range of every activation."""
    if isinstance(model, PixelModelConfiguration):
        names = ["codes", *(f"layers.{2 * index + 1}" for index in range(len(model.hidden) + 1))]
        return {f"{name}.range_log2": () for name in names}
    names = ["encoder.trunk.counts", "encoder.mean.1", "encoder.log_variance.1", "encoder.head.1", "encoder.head.3", "decoder.dense.1"]
    names += [f"encoder.trunk.layers.{2 * index + 1}" for index in range(len(model.channels))]
    names += [f"decoder.widen.{2 * index + 1}" for index in range(len(model.decoder_channels))]
    return {f"{name}.range_log2": () for name in names}


def trunk_shapes(model: AnyModel) -> Shapes:
    """`float_shapes`, and the batch normalisation that only the trunk has."""
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


def _pixel_shapes(model: PixelModelConfiguration) -> Shapes:
    shapes: Shapes = {}
    for index, (source, target) in enumerate(pairwise((WINDOW_FRAMES, *model.hidden, 1))):
        shapes[f"layers.{2 * index}.weight"], shapes[f"layers.{2 * index}.bias"] = (target, source, 1), (target,)
    return shapes


def _photometer_shapes(model: ModelConfiguration) -> Shapes:
    shapes: Shapes = {}

    def layer(name: str, weight: tuple[int, ...], bias: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, (bias,)

    source, length = 3, WINDOW_SAMPLES
    for index, (target, kernel, stride) in enumerate(zip(model.channels, model.kernels, model.strides, strict=True)):
        layer(f"encoder.trunk.layers.{2 * index}", (target, source, kernel), target)
        source, length = target, (length - 1) // stride + 1
    layer("encoder.mean.0", (model.latent, source * length), model.latent)
    layer("encoder.log_variance.0", (model.latent, source * length), model.latent)
    layer("encoder.head.0", (model.head, source), model.head)
    layer("encoder.head.2", (len(CLASSES), model.head), len(CLASSES))
    channels = (*model.decoder_channels, 3)
    width = channels[0] * (WINDOW_SAMPLES >> len(model.decoder_channels))
    layer("decoder.dense.0", (width, model.latent), width)
    for index, (source, target) in enumerate(pairwise(channels)):
        layer(f"decoder.widen.{2 * index}", (source, target, 4), target)
    parameter = {"gaussian": "log_sigma", "beta": "log_concentration"}.get(model.observation)
    if parameter is not None:
        shapes[f"observation.{parameter}"] = (3, 1)
    return shapes
