"""Checkpoints on disk: their formats, what is in them, and how they are written."""
