"""Malformed inputs of every format, tried on the real commands: the gate `input.refused`. A file per format; `gate` runs and judges."""

from .gate import KINDS, Refusal, records, run_refusals

__all__ = ["KINDS", "Refusal", "records", "run_refusals"]
