"""What holds for every test: a slow machine is no failure, so Hypothesis sets no time limit per example (pytest-timeout ends what hangs)."""

from hypothesis import settings

settings.register_profile("pixie", deadline=None)
settings.load_profile("pixie")
