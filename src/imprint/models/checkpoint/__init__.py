"""Checkpoints on the disk: their forms, what is in them, and how they are written."""
