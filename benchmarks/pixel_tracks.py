"""Tracks on whole nights: how faint a meteor may be, at one false track a night, for the network and for its rivals on the same frames.

Thresholds come from nights of the calibration sessions, false tracks and meteors from sessions that neither training nor calibration saw. Every
method feeds the same tracker with its own flagged pixels; what differs is what flags a pixel, and the threshold of a track.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime import engines
from edge_runtime.bundle import MANIFEST, open_pixels
from edge_runtime.errors import InputError
from edge_runtime.files import read_json
from edge_runtime.frames import FrameStretch
from edge_runtime.pixel_stream import PixelFlagger
from edge_runtime.pixels import WINDOW_FRAMES
from edge_runtime.recurrence import LoneTracker
from edge_runtime.tracking import Place, Track, speed_km_s
from train.instruments.minieuso.configuration import SESSIONS
from train.instruments.minieuso.scene import FILE_FRAMES, Scene
from train.instruments.minieuso.sources import Light
from train.pixels.calibration import LOWEST, NIGHT_FRAMES, night, recorded, track_threshold
from train.pixels.matching import found_by
from train.pixels.stream_rivals import SCORE_STEPS, Flags, Level2Rule, RunningMedian

from .environment import on
from .kept_jobs import Job, run_kept
from .results import Record, Spread, Stage
from .statistics import wilson

MAGNITUDES = tuple(range(2, 8))
SCENE_METEORS = 36  # in a file, six of each magnitude: few enough that their tracks seldom meet
RATES = (0.5, 1.0, 2.0, 3.0)  # false tracks a night at which the methods are compared besides
TAIL = WINDOW_FRAMES  # frames that must follow a meteor's last light: the network looks at the middle of its window
SOURCE = "benchmarks/pixel_tracks.py; simulated sessions"
MEDIAN_LEVELS = {"median_4": 4, "median_5": 5}  # sigma; one running median serves both
LEVEL2_FACTORS = {"level2_102": 1.02, "level2_103": 1.03}
NAMES = {"int8": "int8 network", **{name: f"running median, {level} sigma" for name, level in MEDIAN_LEVELS.items()},
         **{name: f"flight Level-2 rule carried over, factor {factor}" for name, factor in LEVEL2_FACTORS.items()}}


@dataclass(frozen=True)
class Nights:
    """How much is looked at: calibration and test nights of so many frames, files with meteors."""

    calibration: int
    test: int
    frames: int
    meteor_files: int


FULL = Nights(calibration=10, test=10, frames=NIGHT_FRAMES, meteor_files=92)


class Watch:
    """The network and all rivals on one stream, one engine for all its recordings."""

    def __init__(self, bundle_folder: Path) -> None:
        bundle = open_pixels(bundle_folder)
        self._rules = replace(bundle.settings.rules, threshold=LOWEST)
        self._flagger = PixelFlagger(replace(bundle.settings, rules=self._rules), engines.load("litert", bundle_folder))
        self._median = RunningMedian(min(MEDIAN_LEVELS.values()))
        self._level2 = {name: Level2Rule(factor) for name, factor in LEVEL2_FACTORS.items()}

    def tracks(self, stretches: Iterable[FrameStretch]) -> dict[str, list[Track]]:
        """Every track of every method, whatever its score."""
        found: dict[str, list[Track]] = {name: [] for name in NAMES}
        for stretch in stretches:
            self._flagger.begin(stretch.frame)
            trackers = {name: LoneTracker(self._rules) for name in (*MEDIAN_LEVELS, *LEVEL2_FACTORS)}
            self._median.reset()
            for rule in self._level2.values():
                rule.reset()
            for frame, (sums, masked) in enumerate(zip(stretch.sums, stretch.masked, strict=True), start=stretch.frame):
                found["int8"] += self._flagger.push(sums, masked)
                for name, flags in self._rival_flags(sums, self._flagger.masked):
                    if tracks := trackers[name].push(frame, np.full(len(flags.pixel), frame), flags.pixel, flags.score, flags.excess):
                        found[name] += tracks
            found["int8"] += self._flagger.gap()
            for name, tracker in trackers.items():
                found[name] += tracker.finish()
        return found

    def _rival_flags(self, sums: np.ndarray, masked: np.ndarray) -> Iterator[tuple[str, Flags]]:
        flags = self._median.frame(sums, masked)
        for name, level in MEDIAN_LEVELS.items():
            above = flags.score > SCORE_STEPS * level
            yield name, Flags(flags.pixel[above], flags.score[above], flags.excess[above])
        for name, rule in self._level2.items():
            yield name, rule.frame(sums, masked)


def false_scores(bundle_folder: Path, session: int, frames: int, seed: int, number: int) -> dict[str, list[int]]:
    """Scores of all tracks of a night without a meteor, by method."""
    watch = Watch(bundle_folder)
    scores: dict[str, list[int]] = {name: [] for name in NAMES}
    for stretch in night(session, frames, seed, number):
        for name, tracks in watch.tracks([stretch]).items():
            scores[name] += [track.score for track in tracks]
    return scores


def meteors(bundle_folder: Path, session: int, seed: int, number: int) -> list[dict[str, Any]]:
    """One row per meteor of a file: its magnitude (of MAGNITUDES), true speed across the sky, score of its track by method, and what the network's says."""
    rng = np.random.default_rng([seed, session, 11, number])
    scene = Scene(session, FILE_FRAMES, int(rng.integers(1 << 31)), meteors=[*MAGNITUDES] * (SCENE_METEORS // len(MAGNITUDES)))
    lights = [light for light in scene.lights if light.kind == "meteor" and light.frame[0] >= WINDOW_FRAMES and light.frame[-1] < FILE_FRAMES - TAIL]
    tracks = Watch(bundle_folder).tracks(recorded(scene))
    own = {name: found_by(one, lights) for name, one in tracks.items()}
    return [_row(light, {name: one[place] for name, one in own.items()}) for place, light in enumerate(lights)]


def _row(light: Light, own: Mapping[str, Track | None]) -> dict[str, Any]:
    true = Track(0, 1, (), 0.0, 0.0, light.track[2], light.track[3], 0.0, 0, 1.0, Place(0.0, 0.0, 0.0))
    ours = own["int8"]
    return {"magnitude": light.magnitude, "speed": speed_km_s(true), "scores": {name: None if track is None else track.score for name, track in own.items()},
            "told_speed": None if ours is None else speed_km_s(ours), "told_excess": None if ours is None else ours.excess}


def tracks(bundle_folder: Path, kept: Path, seed: int, nights: Nights = FULL) -> Stage:
    """`tracks.efficiency`, the limits of all methods, false tracks by night, and how far speed and magnitude are off.

    Each night and file is kept in `kept` as it is done, under the bundle's checksum: a long run goes on where it was cut off.
    """
    bundle = open_pixels(bundle_folder)
    calibration, test = _sessions(bundle_folder)
    jobs: list[Job] = []
    for kind, sessions, number in (("calibration", calibration, nights.calibration), ("test", test, nights.test)):
        jobs += [(f"{kind}-{k}", false_scores, (bundle_folder, sessions[k % len(sessions)], nights.frames, seed, 100 + k)) for k in range(number)]
    jobs += [(f"meteors-{k}", meteors, (bundle_folder, test[k % len(test)], seed, k)) for k in range(nights.meteor_files)]
    found = run_kept(jobs, kept, f"{bundle.sha256} {seed} {nights}")
    by_kind = {kind: [found[name] for name, *_ in jobs if name.startswith(kind)] for kind in ("calibration", "test", "meteors")}
    rows = [row for file in by_kind["meteors"] for row in file]
    scale = nights.frames / NIGHT_FRAMES
    limits = {name: track_threshold([score for one in by_kind["calibration"] for score in one[name]], int(nights.calibration * scale)) for name in NAMES}
    return _stage(by_kind["test"], rows, limits, bundle.settings.magnitude_zero, seed, nights, (calibration, test))


def _sessions(bundle_folder: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The bundle's calibration sessions, and those that it saw neither in training nor in calibration."""
    path = bundle_folder / MANIFEST
    document: Any = read_json(path)
    told = document["thresholds"]["calibration"]
    if not all(isinstance(told.get(name), list) for name in ("sessions", "learned")):
        raise InputError(path, "thresholds.calibration", "does not tell the sessions it was calibrated on and learned from; export the run again")
    return tuple(told["sessions"]), tuple(number for number in SESSIONS if number not in (*told["sessions"], *told["learned"]))


def limiting_magnitude(efficiency: list[float]) -> float | None:
    """Faintest magnitude at which the efficiency, a straight line between those of MAGNITUDES, is 0.5 or more; None where it is at none."""
    for place in range(len(MAGNITUDES) - 1, -1, -1):
        if efficiency[place] >= 0.5:
            if place == len(MAGNITUDES) - 1:
                return float(MAGNITUDES[place])
            here, after = efficiency[place], efficiency[place + 1]
            return MAGNITUDES[place] + (here - 0.5) / (here - after)
    return None


def _stage(test: list[dict[str, list[int]]], rows: list[dict[str, Any]], limits: Mapping[str, int], magnitude_zero: float, seed: int, nights: Nights,
           sessions: tuple[tuple[int, ...], tuple[int, ...]]) -> Stage:
    magnitude = np.array([row["magnitude"] for row in rows])
    records: list[Record] = []
    curves: list[dict[str, Any]] = []
    table: list[dict[str, Any]] = []
    fewest = min(int((magnitude == m).sum()) for m in MAGNITUDES)
    for name, words in NAMES.items():
        score = np.array([LOWEST if row["scores"][name] is None else row["scores"][name] for row in rows])
        hits = [int((score[magnitude == m] > limits[name]).sum()) for m in MAGNITUDES]
        drawn = [int((magnitude == m).sum()) for m in MAGNITUDES]
        share = [hit / n if n else 0.0 for hit, n in zip(hits, drawn, strict=True)]
        bounds = [wilson(hit, n) for hit, n in zip(hits, drawn, strict=True)]
        limit = limiting_magnitude(share)
        false = [sum(value > limits[name] for value in one[name]) for one in test]
        curves.append({"name": words, "n": drawn, "efficiency": share, "low": [low for low, _ in bounds], "high": [high for _, high in bounds], "limit": limit})
        place = on("litert") if name == "int8" else on()
        told = f"{SOURCE} {', '.join(map(str, sessions[1]))}, threshold {limits[name]} from {nights.calibration} nights of {', '.join(map(str, sessions[0]))}"
        records += [Record(f"tracks.limit.{name}", limit, "mag", "measured", place, None, len(rows), seed,
                           f"{told}; faintest magnitude with efficiency >= 0.5, straight lines between whole magnitudes"),
                    Record(f"tracks.false_per_night.{name}", float(np.mean(false)), "per night", "measured", place,
                           Spread(float(min(false)), float(max(false)), "least and most of the nights"), len(test), seed, f"{told}; nights without a meteor")]
        records += [Record(f"tracks.efficiency.{name}.m{m}", share[k], "share", "measured", place, Spread(*bounds[k], "95 %, Wilson"), drawn[k], seed, told)
                    for k, m in enumerate(MAGNITUDES)]
        cells = [f"tracks.limit.{name}", f"tracks.false_per_night.{name}", *(f"tracks.efficiency.{name}.m{m}" for m in MAGNITUDES)]
        table.append({"name": words, "cells": cells})
    # Brighter than the brightest bin counts as one magnitude brighter: a method that finds nothing has no limit to compare with.
    own, *others = (MAGNITUDES[0] - 1.0 if limit is None else limit for limit in (limiting_magnitude(curve["efficiency"]) for curve in curves))
    lead = own - max(others)
    records.append(Record("tracks.efficiency", lead if len(test) >= 10 and fewest >= 500 else None, "mag", "measured", on("litert"), None, len(rows), seed,
                          f"{SOURCE}; limit of the int8 network less that of the best rival, {len(test)} nights without a meteor, at least {fewest} "
                          "meteors of each magnitude"))
    records += _accuracy(rows, limits["int8"], magnitude_zero, seed)
    equal, equal_table = _at_equal_rates(test, rows, seed)
    columns = ["method", "faintest magnitude", "false tracks a night", *(f"M = {m}" for m in MAGNITUDES)]
    accuracy = [{"name": "speed, median error relative to the truth", "cells": ["tracks.speed_error", *[None] * 7]},
                {"name": "magnitude, median absolute error", "cells": ["tracks.magnitude_error", *[None] * 7]}]
    note = ("Efficiency: share of simulated meteors with a track of their own above the threshold, whatever part of their path lies on the focal surface. "
            "All methods see the same frames and share the tracker; each has its threshold from the same calibration nights, one false track a night. "
            "The tracker's rules, which all share, were chosen on recordings of the calibration sessions and on others of sessions 12 and 14: other lights, "
            "the same detectors and sky. A threshold from other nights may let more or fewer false tracks pass on these: see the next table.")
    return Stage((*records, *equal), {"track_efficiency": {"magnitudes": list(MAGNITUDES), "curves": curves},
                                  "rival_names": {name: words for name, words in NAMES.items() if name != "int8"},
                                  "tables": {"tracks": {"columns": columns, "rows": table + accuracy, "note": note}, "tracks_equal": equal_table}})


def _at_equal_rates(test: list[dict[str, list[int]]], rows: list[dict[str, Any]], seed: int) -> tuple[list[Record], dict[str, Any]]:
    """`tracks.limit_at.RATE.NAME`: limits with thresholds that let so many false tracks a night pass on the test nights themselves, and their table.

    No method could have known these thresholds; they compare what the methods can tell apart, whatever the luck of the calibration nights.
    """
    magnitude = np.array([row["magnitude"] for row in rows])
    records, table = [], []
    for name, words in NAMES.items():
        score = np.array([LOWEST if row["scores"][name] is None else row["scores"][name] for row in rows])
        false = [value for one in test for value in one[name]]
        cells = []
        for rate in RATES:
            threshold = track_threshold(false, int(rate * len(test)))
            limit = limiting_magnitude([float((score[magnitude == m] > threshold).mean()) if (magnitude == m).any() else 0.0 for m in MAGNITUDES])
            records.append(Record(f"tracks.limit_at.{rate:g}.{name}", limit, "mag", "measured", on("litert") if name == "int8" else on(), None, len(rows), seed,
                                  f"{SOURCE}; threshold {threshold} of the {len(test)} test nights themselves, {rate:g} false tracks a night"))
            cells.append(records[-1].id)
        table.append({"name": words, "cells": cells})
    note = ("Faintest magnitude of which half are found when every method lets as many false tracks pass. Thresholds are those of the test nights themselves, "
            "which no method knows beforehand: this compares the methods, the table above what they would do in flight.")
    return records, {"columns": ["false tracks a night", *(f"{rate:g}" for rate in RATES)], "rows": table, "note": note}


def _accuracy(rows: list[dict[str, Any]], threshold: int, magnitude_zero: float, seed: int) -> list[Record]:
    """How far speed and magnitude of the network's tracks are off."""
    found = [row for row in rows if row["scores"]["int8"] is not None and row["scores"]["int8"] > threshold]
    if not found:
        return []
    speed = np.array([abs(row["told_speed"] / row["speed"] - 1) for row in found])
    magnitude = np.array([abs(magnitude_zero - 2.5 * np.log10(max(row["told_excess"], 1e-6)) - row["magnitude"]) for row in found])
    records = []
    for name, values, unit, words in (("tracks.speed_error", speed, "share", "told horizontal speed against the true one"),
                                      ("tracks.magnitude_error", magnitude, "mag", "told magnitude against the true one")):
        low, high = np.percentile(values, (16, 84))
        records.append(Record(name, float(np.median(values)), unit, "measured", on("litert"), Spread(float(low), float(high), "16 to 84 % of the tracks"),
                              len(found), seed, f"{SOURCE}; {words}"))
    return records
