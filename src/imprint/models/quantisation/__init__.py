"""Frozen weights in fewer bits: a file for each way, the layer that computes with them, and which layers they are."""
