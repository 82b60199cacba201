"""The model families: a file each, and what several have in common."""
