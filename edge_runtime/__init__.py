"""Pixie on board: everything that flies, and what ground and board must share. NumPy and one inference engine, nothing else."""
