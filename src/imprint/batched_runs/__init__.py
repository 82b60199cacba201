"""Points of a sweep side by side: several trainings on one network, each with the result that it has alone."""

from imprint.batched_runs.grouping import Group, groups, told

__all__ = ["Group", "groups", "told"]
