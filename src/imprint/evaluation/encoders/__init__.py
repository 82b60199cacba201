"""Encoders turn pictures and texts into features."""
