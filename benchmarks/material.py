"""What several measurements share: held-out windows and what each form of the network says about them, each made once and only when asked for."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from edge_runtime import engines
from edge_runtime.bundle import PhotometerBundle, open_photometers
from edge_runtime.counts import FRAME_SAMPLES

TEST_SCENES = {"demo": 1_000, "full": 5_000}  # four windows each
LEARNED_SCENES = {"demo": 200, "full": 3_000}
CALIBRATION_SCENES = 200
FEW_CODES = 64  # windows that the latency loops go round


@dataclass
class Material:
    """Targets, scale and seed of one benchmark run, and the arrays made from them. Test scenes share a seed stream with no other split."""

    run: Path | None
    target_bundle: Path | None
    scale: str
    seed: int
    scratch: Path

    @cached_property
    def bundle(self) -> PhotometerBundle:
        """The bundle under test; of a run alone, one exported into the scratch folder."""
        if self.target_bundle is not None:
            return open_photometers(self.target_bundle)
        from export.write_bundle import write_bundle

        assert self.run is not None  # for the type checker: one of them is there
        write_bundle(self.run, self.scratch / "bundle")
        return open_photometers(self.scratch / "bundle")

    def network_folder(self, name: str) -> Path:
        """Where the bundle keeps "encoder", "decoder" or "whole"."""
        return self.bundle.folder if name == "encoder" else self.bundle.folder / "ground" / name

    def networks(self) -> dict[str, Path]:
        """The folders of those networks that the bundle holds, by name: of one that was flown without its ground files the encoder's alone."""
        return {name: folder for name in ("encoder", "decoder", "whole") if (folder := self.network_folder(name)).is_dir()}

    @cached_property
    def test(self):  # type: ignore[no-untyped-def]  # a train.windows.WindowSet, imported only when needed
        """Held-out windows, never seen by training or calibration."""
        from train.windows import window_set

        return window_set("test", TEST_SCENES[self.scale], self.seed)

    @cached_property
    def codes(self) -> np.ndarray:
        """Input of the network for the test windows, int8 [w, 1, 1040, 3]."""
        return self._input(self.test.counts)

    @cached_property
    def flight(self) -> tuple[np.ndarray, np.ndarray]:
        """What flies says about the test windows, on LiteRT: posterior means int8 [w, k] and logits int8 [w, 5]."""
        mean, logits = run_all(self.bundle.folder, "litert", self.codes)
        return mean, logits

    @cached_property
    def reconstruction(self) -> np.ndarray:
        """What the ground makes of the flight latents of the test windows, see `decoded`."""
        return self.decoded(self.flight[0])

    def told(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """As `flight`, about counts uint16 [w, 3, 1040]."""
        mean, logits = run_all(self.bundle.folder, "litert", self._input(counts))
        return mean, logits

    def decoded(self, latents: np.ndarray) -> np.ndarray:
        """What the ground makes of latents int8 [w, k]: expected counts per sample, float32 [w, 3, 1040], decoder on LiteRT."""
        import torch

        from edge_runtime.graph import read_graph
        from train.losses import MODELS
        from train.run_folder import read_run

        assert self.run is not None  # for the type checker: asked for with a run only
        folder = self.network_folder("decoder")
        output = read_graph(folder).tensors["reconstruction"]
        observation = MODELS[read_run(self.run).configuration.model.observation]()
        # A table of 256 entries: the decoder's output is int8, so this is exact and the same on every machine.
        reals = (np.arange(-128, 128) - output.zero_point) * output.scale[0]
        with torch.no_grad():
            table = np.asarray(observation.expected_counts(reals.astype(np.float32)), np.float32)
        (codes,) = run_all(folder, "litert", latents)
        return np.ascontiguousarray(table[codes[:, 0].astype(np.int16) + 128].transpose(0, 2, 1))

    @cached_property
    def learned(self) -> np.ndarray:
        """Counts of training windows, uint16 [w, 3, 1040], for rivals that learn."""
        from train.windows import window_set

        return window_set("train", LEARNED_SCENES[self.scale], self.seed).counts

    @cached_property
    def calibration_mean(self) -> np.ndarray:
        """Mean counts per sample of the calibration windows, float64 [3]."""
        from train.windows import window_set

        return window_set("calibration", CALIBRATION_SCENES, self.seed).counts.mean(axis=(0, 2))

    def stream(self) -> np.ndarray:
        """A simulated recording of 36 frames of mixed scenes, uint16 [3, n], as a stream."""
        from train.instruments.mmia.scene import simulate

        return np.ascontiguousarray(simulate("mix", 36, self.seed).counts)

    def few_codes(self) -> np.ndarray:
        """Some windows of that stream as input of the network, int8 [n, 1, 1040, 3]."""
        windows = self.stream()[:, :8 * FRAME_SAMPLES].reshape(3, -1, 1040).transpose(1, 0, 2)
        return self._input(np.ascontiguousarray(windows[:FEW_CODES]))

    def _input(self, counts: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.bundle.tables.quantise(counts).transpose(0, 2, 1))[:, None]


def run_all(folder: Path, engine_name: str, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Outputs of the model in `folder` for inputs int8 [n, ...] each, one call per item as on board; each output int8 [n, ...]."""
    engine = engines.load(engine_name, folder)
    outputs = [engine.run(*(codes[number:number + 1] for codes in inputs)) for number in range(len(inputs[0]))]
    return tuple(np.concatenate(parts) for parts in zip(*outputs, strict=True))
