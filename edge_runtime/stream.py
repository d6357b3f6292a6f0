"""The loop that flies: counts, window, codes, engine, score, candidate. Memory does not grow with the length of the stream."""

from collections.abc import Iterable, Iterator

import numpy as np

from .bundle import PhotometerBundle
from .counts import Stretch
from .engines import Engine
from .flagging import Candidate, Candidates
from .preprocess import Window, Windows


class Flagger:
    """One bundle on one engine, for any number of recordings one after the other. Not for use from several threads at once.

    `windows` and `samples` count what was seen, over all recordings.
    """

    def __init__(self, bundle: PhotometerBundle, engine: Engine) -> None:
        self.windows = 0
        self.samples = 0
        self._run = engine.run
        # Where an engine lends its own input, the codes are written there at once and copied by nobody.
        lent = engine.input_buffer()
        self._input = np.empty(bundle.input.shape, np.int8) if lent is None else lent
        self._codes = self._input.reshape(bundle.input.shape[2:])  # int8 [1040, 3], the same memory
        self._window_codes = bundle.tables.window_codes
        self._bundle = bundle
        self._begin()

    def flag(self, stretches: Iterable[Stretch]) -> Iterator[Candidate]:
        """The candidates of one recording, each as soon as it is complete."""
        self._begin()
        for stretch in stretches:
            for window in self._tiler.push(stretch):
                if (candidate := self.window(window)) is not None:
                    yield candidate
        for window in self._tiler.finish():
            if (candidate := self.window(window)) is not None:
                yield candidate
        if (candidate := self._candidates.finish()) is not None:
            yield candidate

    def window(self, window: Window) -> Candidate | None:
        """One step of the loop: the candidate that this window completes, if it does."""
        saturated = self._window_codes(window.counts, self._codes)
        latent, logits = self._run(self._input)
        self.windows += 1
        self.samples += window.stop - window.first
        return self._candidates.push(window, logits[0].tolist(), latent[0], saturated)

    def _begin(self) -> None:
        self._tiler = Windows()
        self._candidates = Candidates(self._bundle.score, self._bundle.thresholds)
