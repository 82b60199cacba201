"""The training loss and its weighting."""
