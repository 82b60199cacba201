"""Training: the step, the optimiser, checkpoints, the moving average, caches of what is encoded, devices."""
