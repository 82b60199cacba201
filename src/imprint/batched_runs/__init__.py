"""Points of a sweep in one process: several trainings in one batch on one network, each with the result that it has
alone, or one after another on weights that are loaded once."""

from imprint.batched_runs.grouping import Group, describe, groups

__all__ = ["Group", "describe", "groups"]
