"""What is fixed about Mini-EUSO's focal surface and the sky it sees. [read] printed in a source, [derived] ours from printed numbers, [assumed] ours."""

from edge_runtime.frames import FRAME_GTU as FRAME_GTU
from edge_runtime.frames import FRAME_TIME_NS
from edge_runtime.frames import PIXELS as PIXELS
from edge_runtime.masking import UNIT_PIXELS as UNIT_PIXELS
from edge_runtime.recurrence import DRIFT_FRAMES as DRIFT_FRAMES
from edge_runtime.tracking import METEOR_KM as METEOR_KM
from edge_runtime.tracking import STATION_KM_S as STATION_KM_S
from edge_runtime.tracking import TUBE_GAP as TUBE_GAP
from edge_runtime.tracking import TUBE_PIXELS as TUBE_PIXELS

FRAME_TIME = FRAME_TIME_NS * 1e-9
DEAD_TIME_GTU = 5e-9 / 2.5e-6  # paralysable, in units of a GTU: n = rho exp(-0.002 rho), 184 counts at most [read]
EPOCH = 1_569_888_000.0  # 2019-10-01 00:00 UTC, where simulated time begins
