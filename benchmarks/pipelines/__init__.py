"""Pipelines of known sizes with random weights: a file a family, with its layout and what makes it a pipeline."""
