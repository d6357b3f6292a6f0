"""ASIM/MMIA: its photometers' constants, readers and writers of Level-1 files, and a simulator of scenes."""

from .cdf import read_cdf
from .fits import read_fits

__all__ = ["read_cdf", "read_fits"]
