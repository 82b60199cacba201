"""Scores of many runs as tables and figures."""

from imprint.reporting.scoreboard.board import Board, assemble
from imprint.reporting.scoreboard.costs import Cost, cost_of
from imprint.reporting.scoreboard.files import ScoreboardFiles, write

__all__ = ["Board", "Cost", "ScoreboardFiles", "assemble", "cost_of", "write"]
