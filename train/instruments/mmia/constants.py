"""What is fixed about the photometers of MMIA beside channels and sampling: the gap after a frame, and two constants of each channel.

[read], [derived] and [assumed] say how a number is known: printed in a source, recovered from published figures, or ours.
"""

import numpy as np

from edge_runtime.counts import CHANNELS as CHANNELS
from edge_runtime.counts import FRAME_SAMPLES as FRAME_SAMPLES
from edge_runtime.counts import SAMPLE_TIME as SAMPLE_TIME

FRAME_PERIOD_SAMPLES = 8325  # 83.25 ms, so 50 us pass unseen after each frame [derived: analysts correct 50 us per 83,250 us]

FLUX_PER_COUNT = np.array([0.498, 0.0068, 0.341])  # uW/m2 for one count in a bin [derived from levels in published figures, +- 0.6 %]
# Seconds of blindness after a count [derived, +- 1, 4, 0.3 ns]. UV: 17 ns is what a recording that reaches 69 counts shows; fits to
# recordings of at most 18 counts give 20 to 23 +- 4 ns.
DEAD_TIME = np.array([17e-9, 17e-9, 11e-9])
DEAD_TIME_ERROR = np.array([1e-9, 4e-9, 0.3e-9])
FLUX_PER_COUNT_ERROR = 0.006  # relative
