"""`python -m edge_runtime VERB`."""

from .cli import board

board()
