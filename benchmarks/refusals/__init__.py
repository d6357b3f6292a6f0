"""Malformed inputs of every format, tried on the real commands: gates `input.refused`, `pixels.input.refused`. A file per format; `gate` runs and judges."""

from .gate import KINDS, PIXEL_KINDS, Refusal, records, run_refusals

__all__ = ["KINDS", "PIXEL_KINDS", "Refusal", "records", "run_refusals"]
