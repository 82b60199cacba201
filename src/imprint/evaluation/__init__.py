"""Evaluation: which pictures are generated to score a run, encoders, metrics, statistics, published figures."""
