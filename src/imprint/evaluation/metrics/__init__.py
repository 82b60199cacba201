"""Metrics: numbers computed from the features of pictures, photos and prompts."""
