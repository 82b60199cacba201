"""When: the step, the optimiser, checkpoints, averaging, guards."""
