"""Training: instruments, simulators, models, losses, the training loop and the classical rivals."""
