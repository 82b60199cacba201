"""Experiment trackers: Weights & Biases, TensorBoard, Lightning's CSV."""
