"""Means with their intervals, a panel for each column."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from imprint.reporting.scoreboard.board import Board
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.looks import looks
from imprint.reporting.scoreboard.style import INK, quiet

PANELS = 4  # side by side, at most


def means_figure(board: Board) -> Figure:
    down = math.ceil(len(board.columns) / PANELS)
    across = math.ceil(len(board.columns) / down)
    height = down * (0.95 + 0.3 * len(board.entries))
    figure = Figure(figsize=(1.8 + 2.4 * across, height), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
    for axes, column in zip(panels, board.columns, strict=False):
        _panel(axes, board, column)
    for axes in panels[len(board.columns) :]:
        axes.set_visible(False)
    return figure


def _panel(axes: Axes, board: Board, column: Column) -> None:
    look = looks(board)
    for place, entry in enumerate(board.entries):
        found = board.score(entry.label, column.key)
        if found is None:
            continue
        style = look[entry.label]
        if found.interval:
            ends = [found.interval.low, found.interval.high]
            axes.plot(ends, [place, place], color=style.colour, linewidth=1.6, alpha=0.75 if style.filled else 0.45)
        axes.plot(found.mean, place, linestyle="", **style.marker(6))
    last = sum(entry.role == "contestant" for entry in board.entries) - 0.5
    if len(board.contestants) < len(board.entries):
        axes.axhline(last, color=INK, alpha=0.25, linewidth=0.7, linestyle=(0, (4, 3)))
    axes.set_ylim(len(board.entries) - 0.5, -0.5)
    axes.set_yticks(range(len(board.entries)), [entry.label for entry in board.entries])
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_title(column.heading)
    quiet(axes, grid="x")
