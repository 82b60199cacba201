"""Estimators: where in a picture its subject is, found by an algorithm."""
