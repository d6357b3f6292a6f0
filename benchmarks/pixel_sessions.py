"""Pixels, session by session: the int8 network, its float twin and the classical classifiers on the windows of a session that none of them saw.

At full scale every session is left out in turn, and network and classifiers learn from the same windows of the others. At demo scale the run's
own network is judged on the sessions that it did not learn from, without classifiers: their learning takes too long for a demo.
"""

import multiprocessing
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.files import new_file
from edge_runtime.pixels import WINDOW_FRAMES, PixelCodes, stretch_codes
from train.code_digest import TRAINING_ROOMS, code_digest
from train.evaluate import roc_auc
from train.instruments.minieuso.configuration import SESSIONS
from train.instruments.minieuso.scene import FILE_FRAMES, Scene
from train.pixels.classifiers import TREES, Library, boosted, logistic, neighbours
from train.pixels.experiments import both, five_features, scaled
from train.pixels.truth import KINDS, LONGEST, Noise
from train.pixels.windows import PixelWindowSet, joined, pixel_windows, stretch_of

from .kept_jobs import Job, run_kept
from .pixel_tables import RATES, stage
from .results import Stage
from .statistics import roc_curve

SLOW = {"knn": 34_000, "forest": 34_000}  # background windows of a file on which these are judged, too slow for as many as the others see
NAMED = 34_000  # and of which it is told what is in them
NOISE = 3  # windows of fresh noise for each window learned from; with 8, what the network has in each of its epochs, the recall was less
SOME_WINDOWS = 30_000  # that neighbours know and each tree of a forest grows on: with all of them these two alone would take hours
_BINS = 160  # points of a ROC curve
Score = Callable[[np.ndarray, np.ndarray], np.ndarray]  # codes int8 [w, 48], counts uint32 [w, 48] -> [w]
CLASSICAL: Mapping[str, tuple[str, Callable[[int], Any], Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "knn": (f"k-nearest neighbours, curve and features, {SOME_WINDOWS:,} windows", lambda seed: _Few(neighbours(seed), seed),
            lambda codes, counts: both(counts)),
    "forest": (f"random forest, curve and features, {SOME_WINDOWS:,} windows a tree", lambda seed: _forest(seed), lambda codes, counts: both(counts)),
    "xgboost": ("XGBoost, curve and features", boosted, lambda codes, counts: both(counts)),
    "xgboost_curve": ("XGBoost, scaled curve", boosted, lambda codes, counts: scaled(counts)),
    "xgboost_codes": ("XGBoost on the network's own codes", boosted, lambda codes, counts: codes.astype(np.float32)),
    "xgboost_noise": (f"XGBoost on the network's own codes, {NOISE} noise windows for each",
                      lambda seed: _WithNoise(boosted(seed), seed), lambda codes, counts: codes),
    "logistic": ("logistic regression, five features", logistic, lambda codes, counts: five_features(counts)),
}
_NAMES = {name: words for name, (words, *_) in CLASSICAL.items()}


@dataclass(frozen=True)
class Effort:
    """Windows of each session to learn from and to be judged on, files of background and windows drawn from each, epochs of trunk and tails."""

    meteors: int
    others: int
    test_meteors: int
    test_others: int
    files: int
    drawn: int
    trunk_epochs: int
    tail_epochs: int


FULL = Effort(1_500, 15_000, 1_000, 10_000, 3, 340_000, 10, 4)
DEMO = replace(FULL, test_meteors=500, test_others=5_000, drawn=34_000)


def leave_one_out(kept: Path, seed: int, effort: Effort = FULL) -> Stage:
    """All gates of the pixels; what networks and what classifiers say of a session is kept in `kept` when it is done: a long run goes on where it was cut
    off."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:  # made once, learned from eight times
        list(pool.map(partial(_make_windows, kept, seed, effort), SESSIONS))
    jobs: list[Job] = [(f"session-{session}-{learner.__name__}", learner, (session, kept, seed, effort))
                       for session in SESSIONS for learner in (networks, classifiers)]
    found = run_kept(jobs, kept, f"{seed} {effort}")
    return stage({session: together(found[f"session-{session}-networks"], found[f"session-{session}-classifiers"]) for session in SESSIONS},
                 _NAMES, seed)


def together(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What networks and what classifiers say of one session, which is the same windows to both."""
    return {**ours, "methods": {**ours["methods"], **theirs["methods"]}}


def of_run(run_folder: Path, seed: int, effort: Effort = DEMO) -> Stage:
    """The gates that a run's own network can show, on the sessions that it did not learn from."""
    from train.run_folder import read_run

    learned = read_run(run_folder).configuration.data.sessions
    left = [session for session in SESSIONS if session not in learned]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.map(partial(_of_run, run_folder, seed, effort), left)
        return stage(dict(zip(left, found, strict=True)), _NAMES, seed)


def _of_run(run_folder: Path, seed: int, effort: Effort, session: int) -> dict[str, Any]:
    from train.run_folder import read_run

    run = read_run(run_folder)
    return judged(session, _networks(run.configuration, run.quantised, run.float_twin), seed, effort)


def _windows(kept: Path, seed: int, effort: Effort, session: int) -> PixelWindowSet:
    """Windows of a session to learn from, as `_make_windows` left them."""
    with np.load(_windows_file(kept, seed, effort, session)) as archive:
        return PixelWindowSet(**{name: archive[name] for name in archive.files})


def _make_windows(kept: Path, seed: int, effort: Effort, session: int) -> None:
    file = _windows_file(kept, seed, effort, session)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        with new_file(file) as temporary:
            np.savez(temporary, **vars(pixel_windows(session, effort.meteors, effort.others, seed)))


def _windows_file(kept: Path, seed: int, effort: Effort, session: int) -> Path:
    return kept / f"windows-{session}-{seed}-{effort.meteors}-{effort.others}-{code_digest(TRAINING_ROOMS)[:16]}.npz"


def networks(session: int, kept: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Network and twin learn from all sessions but one, and are judged on that one."""
    from train.configuration import PixelConfiguration, PixelDataConfiguration, PixelSchedule
    from train.loop import train
    from train.pixels.training import PixelSet
    from train.run_folder import read_arrays, start_run

    others = tuple(number for number in SESSIONS if number != session)
    windows = joined([_windows(kept, seed, effort, number) for number in others])
    configuration = PixelConfiguration(seed=seed, training=PixelSchedule(trunk_epochs=effort.trunk_epochs, tail_epochs=effort.tail_epochs),
                                       data=PixelDataConfiguration(sessions=others, calibration_sessions=(session,)))
    with tempfile.TemporaryDirectory(prefix="pixie-fold-") as scratch:
        folder = Path(scratch) / "run"
        start_run(folder, configuration, {})
        train(configuration, folder, PixelSet(windows.codes, windows.meteor))
        methods = _networks(configuration, read_arrays(folder / "quantised.npz"), read_arrays(folder / "float_twin.npz"))
    return judged(session, methods, seed, effort)


def classifiers(session: int, kept: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """The classical classifiers learn from the same windows, and are judged on the same."""
    windows = joined([_windows(kept, seed, effort, number) for number in SESSIONS if number != session])
    methods: dict[str, Score] = {}
    for name, (_, make, view) in CLASSICAL.items():
        classifier = make(seed)
        classifier.fit(view(windows.codes, windows.counts), windows.meteor)
        methods[name] = partial(_told, classifier, view)
    return judged(session, methods, seed, effort)


def _told(classifier: Any, view: Callable[[np.ndarray, np.ndarray], np.ndarray], codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    scores: np.ndarray = classifier.score(view(codes, counts))
    return scores


@dataclass
class _WithNoise:
    """A classifier of codes that learns from NOISE windows of nothing but noise for each of those it is given."""

    classifier: Library
    seed: int

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        import torch

        from train.pixels.training import noise_input

        generator = torch.Generator().manual_seed(self.seed)
        noise = np.rint(noise_input(NOISE * len(x), generator)[:, :, 0].numpy() / PixelCodes().scale).astype(np.int8)
        self.classifier.fit(np.concatenate([x, noise]).astype(np.float32), np.concatenate([y, np.zeros(len(noise), bool)]))

    def score(self, x: np.ndarray) -> np.ndarray:
        return self.classifier.score(x.astype(np.float32))


@dataclass
class _Few:
    """A classifier that learns from SOME_WINDOWS of what it is given."""

    classifier: Library
    seed: int

    def fit(self, x: np.ndarray, y: np.ndarray) -> None:
        some = np.random.default_rng(self.seed).permutation(len(x))[:SOME_WINDOWS]
        self.classifier.fit(x[some], y[some])

    def score(self, x: np.ndarray) -> np.ndarray:
        return self.classifier.score(x)


def _forest(seed: int) -> Library:
    from sklearn.ensemble import RandomForestClassifier

    return Library(lambda: RandomForestClassifier(TREES, min_samples_leaf=3, max_samples=SOME_WINDOWS, random_state=seed))


def _networks(configuration: Any, quantised: dict[str, np.ndarray], float_twin: dict[str, np.ndarray]) -> dict[str, Score]:
    """Scores of the quantised network, codes of its logits, which parity gates tie to the flight file; and of its float twin."""
    import torch

    from train.pixels.training import Frozen, PixelSystem, scores

    torch.set_num_threads(1)
    system, twin = PixelSystem(configuration, "quantised"), PixelSystem(configuration, "float_twin")
    system.load_arrays(quantised)
    twin.load_arrays(float_twin)
    frozen = Frozen(system)
    return {"int8": lambda codes, counts: frozen.logit_codes(codes), "float_twin": lambda codes, counts: scores(twin, codes)}


def judged(session: int, methods: Mapping[str, Score], seed: int, effort: Effort) -> dict[str, Any]:
    """What every method says of a session: AUC on windows rich in confusers; on background as it comes recall at a false-positive rate of 1e-4, the ROC
    curve and which kinds of windows are flagged. int8 sees every background window, the others so many as their `background` tells."""
    rich = pixel_windows(session, effort.test_meteors, effort.test_others, seed + 1_000)
    score = {name: method(rich.codes, rich.counts).astype(np.float64) for name, method in methods.items()}
    background, histogram, kinds = _background(session, methods, seed, effort)
    kind = np.concatenate(kinds)
    found: dict[str, Any] = {"meteors": int(rich.meteor.sum()), "others": int((~rich.meteor).sum()), "windows": int(histogram.sum()),
                             "kinds": np.bincount(kind, minlength=len(KINDS)).tolist(), "methods": {}}
    for name, own in score.items():
        meteor, dark = own[rich.meteor], np.concatenate(background[name])
        limit = np.sort(dark)[::-1][int(RATES["1e4"] * len(dark))]
        named = np.concatenate([one[:len(k)] for one, k in zip(background[name], kinds, strict=True)])
        fpr, recall = roc_curve(meteor, dark, _BINS)
        found["methods"][name] = {"auc": roc_auc(meteor, own[~rich.meteor]), "auc_stream": roc_auc(meteor, dark), "background": len(dark),
                                  "recall_1e4": float((meteor > limit).mean()), "flagged": np.bincount(kind[named > limit], minlength=len(KINDS)).tolist(),
                                  "fpr": fpr, "recall": recall}
    if "int8" not in methods:
        return found
    above = histogram.sum() - np.cumsum(histogram)
    meteor = score["int8"][rich.meteor]
    found["operating"] = {word: int((meteor > int(np.argmax(above <= rate * histogram.sum())) - 128).sum()) for word, rate in RATES.items()}
    points = np.flatnonzero(np.diff(above, prepend=histogram.sum()))
    found["methods"]["int8"] |= {"background": found["windows"], "recall_1e4": found["operating"]["1e4"] / found["meteors"],
                                 "fpr": (above[points] / histogram.sum()).tolist(), "recall": [float((meteor > code - 128).mean()) for code in points]}
    return found


def _background(session: int, methods: Mapping[str, Score], seed: int, effort: Effort) -> tuple[dict[str, list[np.ndarray]], np.ndarray, list[np.ndarray]]:
    """Of meteor-free files: scores of all methods on windows drawn from each, codes of int8 on all windows as counts [256], and the kinds of the first
    NAMED drawn from each."""
    scores: dict[str, list[np.ndarray]] = {name: [] for name in methods}
    histogram, kinds = np.zeros(256, np.int64), []
    for file in range(effort.files):
        scene = Scene(session, FILE_FRAMES, int(np.random.SeedSequence([seed, session, 9, file]).generate_state(1)[0]), meteors=0)
        stretch = stretch_of(scene)
        codes, age = stretch_codes(PixelCodes(), stretch)
        for k in range(WINDOW_FRAMES - 1, FILE_FRAMES if "int8" in methods else 0):
            full = age[k] >= WINDOW_FRAMES
            logits = methods["int8"](np.ascontiguousarray(codes[k + 1 - WINDOW_FRAMES:k + 1].T), np.empty(0)).astype(np.int64)
            histogram += np.bincount(logits[full] + 128, minlength=256)
        rng = np.random.default_rng([seed, session, file])
        last, pixel = rng.integers(LONGEST, FILE_FRAMES, 2 * effort.drawn), rng.integers(0, codes.shape[1], 2 * effort.drawn)
        taken = np.flatnonzero(age[last, pixel] >= WINDOW_FRAMES)[:effort.drawn]
        last, pixel = last[taken], pixel[taken]
        frames = last[:, None] + np.arange(1 - WINDOW_FRAMES, 1)
        some_codes, some_counts = codes[frames, pixel[:, None]], stretch.sums.reshape(FILE_FRAMES, -1)[frames, pixel[:, None]]
        for name, method in methods.items():
            n = SLOW.get(name, effort.drawn)
            scores[name].append(method(some_codes[:n], some_counts[:n]).astype(np.float64))
        kinds.append(Noise(scene).strongest(last[:NAMED] + 1 - LONGEST, pixel[:NAMED]))
    return scores, histogram, kinds
