"""Statistics of scores: averages, intervals, comparisons. Pure functions that read no file."""
