"""What is fixed about Mini-EUSO's focal surface and the sky it sees. [read] printed in a source, [derived] ours from printed numbers, [assumed] ours."""

from edge_runtime.frames import FRAME_GTU as FRAME_GTU
from edge_runtime.frames import FRAME_TIME_NS
from edge_runtime.frames import PIXELS as PIXELS

FRAME_TIME = FRAME_TIME_NS * 1e-9
TUBE_PIXELS = 8  # side of a multi-anode photomultiplier: 6 x 6 of them make the focal surface [read]
UNIT_PIXELS = 16  # side of an EC unit, 2 x 2 tubes that share a high voltage [read]
TUBE_GAP = 1  # insensitive pixels between neighbouring tubes [read: about 1; meteors dim when they cross]
DEAD_TIME_GTU = 5e-9 / 2.5e-6  # paralysable, in units of a GTU: n = rho exp(-0.002 rho), 184 counts at most [read]
METEOR_KM = 4.7  # side of a pixel at 100 km altitude [read]
DRIFT_FRAMES = 21  # frames in which the ground moves on by one pixel, along +row [derived: 6.3 km at 7.18 km/s]
STATION_KM_S = 7.66  # the station's own speed, which everything at meteor height seems to move by [read]
EPOCH = 1_569_888_000.0  # 2019-10-01 00:00 UTC, where simulated time begins
