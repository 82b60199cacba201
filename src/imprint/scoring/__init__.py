"""Scores of runs: generates missing pictures, has encoders compute features, and writes score sheets."""
