"""Mini-EUSO: its focal surface and sky, readers and writers of D3 frames, and a simulator of sessions."""

from .root import read_root

__all__ = ["read_root"]
