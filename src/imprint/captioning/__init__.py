"""Captions of pictures, written by a model."""
