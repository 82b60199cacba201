"""Labelled data sets on disk: their rows, their folder, their splits, and the formats that others read."""
