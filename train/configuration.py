"""What a training run is told: one frozen record per subject, read from TOML and checked at the door, before torch is imported."""

import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.errors import InputError
from edge_runtime.files import read_bytes
from edge_runtime.preprocess import FRAME_SAMPLES, WINDOW_SAMPLES

from .configuration2020 import NETWORK, Configuration2020
from .settings import bounded, chosen, plain, record_of

OBSERVATION_MODELS = ("poisson", "hit_poisson", "gaussian", "optimal_gaussian", "beta")


@dataclass(frozen=True)
class ModelConfiguration:
    """Sizes of the variational autoencoder; lists run from the counts inwards for the encoder and outwards for the decoder.

    samples: of a window. Only windows of 1,040 fly; beyond a frame of 8,320 a window is a whole event with zeros behind it.
    """

    samples: int = bounded(64, 131_072, WINDOW_SAMPLES)
    latent: int = bounded(1, 1024, 16)
    channels: tuple[int, ...] = bounded(1, 1024, (16, 16, 24, 24, 24, 24))
    kernels: tuple[int, ...] = bounded(1, 63, (5, 5, 5, 9, 13, 13))
    strides: tuple[int, ...] = bounded(1, 8, (2, 2, 2, 2, 2, 2))
    head: int = bounded(1, 1024, 32)
    decoder_channels: tuple[int, ...] = bounded(1, 1024, (24, 16, 12, 8))
    observation: str = chosen(*OBSERVATION_MODELS)


@dataclass(frozen=True)
class Schedule:
    """One trunk of float epochs, then two tails of the same length: quantisation-aware, and its float twin."""

    trunk_epochs: int = bounded(0, 100_000, 8)
    tail_epochs: int = bounded(1, 100_000, 3)
    batch: int = bounded(1, 65_536, 64)
    learning_rate: float = bounded(1e-8, 1.0, 1e-2)
    tail_learning_rate: float = bounded(1e-8, 1.0, 1e-3)
    weight_decay: float = bounded(0.0, 10.0, 0.1)
    threads: int = bounded(1, 256, 2)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Epochs of each phase."""
        return self.trunk_epochs, self.tail_epochs, self.tail_epochs

    @property
    def gradient_limit(self) -> float:
        """Norm that the gradient of a step is cut to."""
        return 5.0

    def rate(self, phase: int, progress_made: float, step: int) -> float:
        """Learning rate: cosine, in the trunk from its rate to the tail's after 100 steps of warming up, in a tail from its rate to a hundredth."""
        start, end = (self.learning_rate, self.tail_learning_rate) if phase == 0 else (self.tail_learning_rate, self.tail_learning_rate / 100)
        rate = end + (start - end) * (1 + math.cos(math.pi * progress_made)) / 2
        return rate * min(1.0, (step + 1) / 100) if phase == 0 else rate


@dataclass(frozen=True)
class TrainingConfiguration(Schedule):
    """The schedule, and the weights of the autoencoder's loss.

    uv_weight: of the UV channel's likelihood. A UV pulse of 10 counts gains some 80 nats by being told, a bright flash in the other channels 10,000:
    at equal weights a training of this length leaves the UV channel a constant. edge_weight: of a twentieth of the window at either end.
    """

    beta: float = bounded(0.0, 1e6, 1.0)
    warm_up_epochs: int = bounded(0, 100_000, 3)
    classification_weight: float = bounded(0.0, 1e6, 1.0)
    uv_weight: float = bounded(0.0, 1e6, 1.0)
    edge_weight: float = bounded(0.0, 1e6, 1.0)


@dataclass(frozen=True)
class DataConfiguration:
    """Numbers of simulated scenes to learn from and to fix thresholds on; four windows are cut from each."""

    train_scenes: int = bounded(1, 10_000_000, 3600)
    calibration_scenes: int = bounded(1, 10_000_000, 1200)


@dataclass(frozen=True)
class ThresholdConfiguration:
    """How the thresholds are fixed on calibration scenes (train/evaluate.py) and flags become candidates.

    recall: share of light to be flagged, five points above the 0.90 that is claimed, because other scenes come out by chance some points lower.
    false_hits: share of quiet windows that may be called hits.
    minimum_duration in windows, refractory in samples.
    """

    recall: float = bounded(0.5, 1.0, 0.95)
    false_hits: float = bounded(0.0, 0.5, 0.001)
    minimum_duration: int = bounded(1, 1_000_000, 1)
    refractory: int = bounded(0, 1_000_000_000, 1040)


@dataclass(frozen=True)
class Configuration:
    """Everything that decides the outcome of a run; equal records and equal machines give equal weights."""

    seed: int = bounded(0, 2**32 - 1, 0)
    model: ModelConfiguration = field(default_factory=ModelConfiguration)
    training: TrainingConfiguration = field(default_factory=TrainingConfiguration)
    data: DataConfiguration = field(default_factory=DataConfiguration)
    threshold: ThresholdConfiguration = field(default_factory=ThresholdConfiguration)

    def to_document(self) -> dict[str, Any]:
        """The record as plain JSON values; `configuration_from_document` gives it back."""
        return plain(self)


@dataclass(frozen=True)
class PixelModelConfiguration:
    """Sizes of the pixel network: widths of its hidden layers."""

    hidden: tuple[int, ...] = bounded(1, 1024, (64, 32))


@dataclass(frozen=True)
class PixelSchedule(Schedule):
    """The schedule of the pixel network.

    smoothing: labels are that far from 0 and 1, so that logits stay in reach of eight bits. noise: windows of nothing but noise in each batch, drawn
    anew: of ten thousand quiet windows the one that looks most like a meteor decides how many may be flagged, and no stored set holds enough of them.
    """

    trunk_epochs: int = bounded(0, 100_000, 10)
    tail_epochs: int = bounded(1, 100_000, 4)
    batch: int = bounded(1, 65_536, 256)
    weight_decay: float = bounded(0.0, 10.0, 0.01)
    threads: int = bounded(1, 256, 1)  # layers so small gain nothing from more
    smoothing: float = bounded(0.0, 0.4, 0.002)
    noise: int = bounded(0, 65_536, 2_048)


@dataclass(frozen=True)
class PixelDataConfiguration:
    """Windows of each session to learn from, nights of each to fix thresholds on. Splits are by session: sessions in neither list are for tests."""

    sessions: tuple[int, ...] = bounded(5, 14, (5, 6, 8, 9, 11))
    meteors: int = bounded(1, 1_000_000, 1_500)
    others: int = bounded(1, 10_000_000, 15_000)
    calibration_sessions: tuple[int, ...] = bounded(5, 14, (7, 13))
    calibration_frames: int = bounded(3_200, 10_000_000, 6_400)


@dataclass(frozen=True)
class PixelThresholdConfiguration:
    """How thresholds are fixed on calibration sessions: share of pixel-windows without a meteor that may be flagged, false tracks per night of 45 minutes."""

    false_flags: float = bounded(1e-7, 0.1, 1e-4)
    false_tracks: float = bounded(0.0, 1e6, 1.0)


@dataclass(frozen=True)
class PixelConfiguration:
    """As `Configuration`, of the pixels of Mini-EUSO."""

    seed: int = bounded(0, 2**32 - 1, 0)
    model: PixelModelConfiguration = field(default_factory=PixelModelConfiguration)
    training: PixelSchedule = field(default_factory=PixelSchedule)
    data: PixelDataConfiguration = field(default_factory=PixelDataConfiguration)
    threshold: PixelThresholdConfiguration = field(default_factory=PixelThresholdConfiguration)

    def to_document(self) -> dict[str, Any]:
        """The record as plain JSON values; `configuration_from_document` gives it back."""
        return plain(self)


AnyConfiguration = Configuration | PixelConfiguration | Configuration2020
_KINDS: dict[str, type[AnyConfiguration]] = {"mmia": Configuration, "minieuso": PixelConfiguration}
TASKS = tuple(_KINDS)
_SETTINGS = Path(__file__).with_name("configurations")


def task_of(configuration: AnyConfiguration) -> str:
    """The word for what is trained: "mmia" or "minieuso"."""
    return "minieuso" if isinstance(configuration, PixelConfiguration) else "mmia"


def read_configuration(path: Path | None = None, seed: int | None = None, epochs: int | None = None, threads: int | None = None,
                       task: str = "mmia") -> Any:
    """The configuration of a TOML file (the task's demo where `path` is None), with the command line's seed, number of trunk epochs and threads.

    InputError where the file cannot be read, a key is unknown (the nearest one is named), or a value is of the wrong type, not finite or out of range.
    """
    path = Path(path) if path is not None else settings_file(task, "demo")
    try:
        document = tomllib.loads(read_bytes(path, limit=1 << 20).decode())
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise InputError(path, "TOML", f"cannot be read ({error}); see train/configurations/{task}_demo.toml for the form") from error
    if seed is not None:
        document["seed"] = seed
    for name, value in (("trunk_epochs", epochs), ("threads", threads)):
        training = document.setdefault("training", {}) if value is not None else None
        if isinstance(training, dict):
            training[name] = value
    return configuration_from_document(document, path, task)


def settings_file(task: str, word: str) -> Path:
    """The settings that come with Pixie: `word` is one of `settings_words(task)`."""
    return _SETTINGS / f"{task}_{word}.toml"


def settings_words(task: str) -> tuple[str, ...]:
    """The words for the settings that come with Pixie: "demo", "full" and, for mmia, "sweep", "cvae2020" and "padded2020"."""
    return tuple(sorted(path.stem.removeprefix(f"{task}_") for path in _SETTINGS.glob(f"{task}_*.toml")))


def configuration_from_document(document: dict[str, Any], file: object, task: str = "mmia") -> Any:
    """A checked record from plain values, missing ones at their defaults; InputError names `file` and the field."""
    report = task == "mmia" and document.get("network") == NETWORK
    configuration = record_of(Configuration2020 if report else _KINDS[task], document, file, "")
    if isinstance(configuration, Configuration):
        _check_model(configuration.model, file)
    elif isinstance(configuration, PixelConfiguration):
        _check_sessions(configuration.data, file)
    return configuration


def _check_sessions(data: PixelDataConfiguration, file: object) -> None:
    for name in ("sessions", "calibration_sessions"):
        for index, session in enumerate(getattr(data, name)):
            if session == 10:
                raise InputError(file, f"data.{name}[{index}]", "is 10, which the study left out; known are 5 to 9 and 11 to 14")
    both = set(data.sessions) & set(data.calibration_sessions)
    if both:
        raise InputError(file, "data.calibration_sessions", f"hold {min(both)}, which data.sessions hold too; thresholds come from sessions not learned from")


def _check_model(model: ModelConfiguration, file: object) -> None:
    for name in ("kernels", "strides"):
        if len(getattr(model, name)) != len(model.channels):
            raise InputError(file, f"model.{name}", f"has {len(getattr(model, name))} elements, must have as many as model.channels: {len(model.channels)}")
    for index, kernel in enumerate(model.kernels):
        if kernel % 2 == 0:
            raise InputError(file, f"model.kernels[{index}]", f"is {kernel}, must be odd, so that the padding is the same on both sides")
    halvings = (model.samples & -model.samples).bit_length() - 1
    if len(model.decoder_channels) > halvings:
        raise InputError(file, "model.decoder_channels", f"has {len(model.decoder_channels)} elements: {model.samples} samples can be halved only "
                         f"{halvings} times")
    if math.prod(model.strides) > model.samples:
        raise InputError(file, "model.strides", f"multiply to {math.prod(model.strides)}, more than the {model.samples} samples of a window")
    if model.samples <= FRAME_SAMPLES and FRAME_SAMPLES % model.samples:
        raise InputError(file, "model.samples", f"is {model.samples}; {FRAME_SAMPLES} samples of a frame must be whole windows, or a window more than a frame")
