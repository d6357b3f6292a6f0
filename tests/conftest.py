"""What holds for every test: a slow machine is no failure, so Hypothesis sets no time limit per example (pytest-timeout ends what hangs)."""

import os

from hypothesis import settings

# Its official builds report over the network and leave a file among the temporary ones; some tests import it beside our engine.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
settings.register_profile("pixie", deadline=None)
settings.load_profile("pixie")
