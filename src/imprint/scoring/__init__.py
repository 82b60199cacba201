"""A run's scores: which pictures are missing, what encoders see in all of them, and the sheet of numbers."""
