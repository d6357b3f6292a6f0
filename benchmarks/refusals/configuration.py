"""Configurations (TOML) of a training run that must be refused, before a folder is made for it."""

from pathlib import Path

import numpy as np

from .damage import ANY_FILE, Attack, Case, FileDamage, Kind, Sources, empty


def _case(name: str, damage: FileDamage, task: str = "mmia") -> Case:
    def build(folder: Path, sources: Sources, random: np.random.Generator) -> Attack:
        path = folder / "settings.toml"
        path.write_bytes(sources.configuration.read_bytes())
        damage(path, random)
        return Attack(("train", task, "--out", "run", "--config", path.name))
    return Case("configuration", name, build, names="settings.toml")


def _says(text: str) -> FileDamage:
    """Settings that hold nothing but `text`."""
    def damage(path: Path, random: np.random.Generator) -> None:
        path.write_text(text + "\n")
    return damage


def _truncated(path: Path, random: np.random.Generator) -> None:
    """Cut inside a random setting, after its `=`: cut at a line's end it would be a shorter, valid configuration."""
    text = path.read_text()
    places = [place for place, sign in enumerate(text) if sign == "="]
    path.write_text(text[:places[int(random.integers(len(places)))] + 1])


def _byte_flipped(path: Path, random: np.random.Generator) -> None:
    """The top bit of a random byte: no longer UTF-8. (A flipped digit is another valid configuration.)"""
    data = bytearray(path.read_bytes())
    data[int(random.integers(len(data)))] ^= 0x80
    path.write_bytes(data)


DAMAGES: dict[str, FileDamage] = {
    **{name: damage for name, damage in ANY_FILE.items() if damage is not empty},  # settings that are not there are at their defaults
    "truncated at a random offset": _truncated,
    "a byte flipped": _byte_flipped,
    "unknown setting": _says("[model]\nlatents = 16"),
    "unknown table": _says("[modell]\nlatent = 16"),
    "float for int": _says("[model]\nlatent = 16.0"),
    "text for number": _says('[training]\nbeta = "1"'),
    "truth value for int": _says("[training]\nbatch = true"),
    "NaN": _says("[training]\nlearning_rate = nan"),
    "infinite": _says("[training]\nbeta = inf"),
    "negative": _says("[training]\ntail_epochs = -1"),
    "an integer of 400 digits": _says("[model]\nlatent = " + "9" * 400),
    "a setting twice": _says("seed = 1\nseed = 2"),
    "a number for a table": _says("model = 3"),
    "unknown observation model": _says('[model]\nobservation = "laplace"'),
    "lists of different lengths": _says("[model]\nchannels = [16, 16]"),
    "brackets 100,000 deep": _says("[model]\nchannels = " + "[" * 100_000),
}
# What only the focal surface's settings can have wrong; the rest is read by the same lines of code.
PIXEL_DAMAGES: dict[str, FileDamage] = {
    "a setting of the other instrument": _says("[model]\nlatent = 16"),
    "unknown table": _says("[sessions]\ntrain = [5, 6]"),
    "session 10": _says("[data]\nsessions = [5, 10]"),
    "session 15": _says("[data]\ncalibration_sessions = [15]"),
    "session that is text": _says('[data]\nsessions = ["5"]'),
    "no sessions": _says("[data]\nsessions = []"),
    "a calibration session that is trained on": _says("[data]\nsessions = [5, 7]"),
    "no hidden layer": _says("[model]\nhidden = []"),
    "share of false flags NaN": _says("[threshold]\nfalse_flags = nan"),
}
CONFIGURATION = Kind("configuration", tuple(_case(name, damage) for name, damage in DAMAGES.items()))
PIXEL_CONFIGURATION = Kind("configuration", tuple(_case(name, damage, "minieuso") for name, damage in PIXEL_DAMAGES.items()))
