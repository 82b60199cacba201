"""A scoreboard's figures: means, each subject, and subject fidelity against prompt fidelity."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from imprint.evaluation.statistics.comparing import Better, pareto_front
from imprint.reporting.labels import differing
from imprint.reporting.scoreboard.board import Board
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.scoreboard.style import COLOURS, INK, colour, mark, quiet

REFERENCE_MARKS = {"bicubic": "v", "untuned": "o", "prompt_only": "s", "real": "D", "copies": "^"}
PLACES = ((6, 5, "left", "bottom"), (-6, 5, "right", "bottom"), (6, -5, "left", "top"), (-6, -5, "right", "top"))
PANELS = 4  # side by side, at most


class EntryStyle(NamedTuple):
    colour: str
    mark: str
    filled: bool

    def marker(self, size: float) -> dict[str, Any]:
        """Arguments of a plot of one point."""
        return {
            "marker": self.mark,
            "markersize": size,
            "color": self.colour,
            "markerfacecolor": self.colour if self.filled else "none",
            "markeredgecolor": self.colour,
            "markeredgewidth": 1.2,
            "alpha": 1.0 if self.filled else 0.65,
        }


def entry_styles(board: Board) -> Mapping[str, EntryStyle]:
    """A contestant has a colour of its own; where there are more than colours, its method has one.

    Of many contestants of one method, each has its own pair of a colour and a mark.
    """
    methods = list(dict.fromkeys(entry.method for entry in board.contestants))
    many = len(board.contestants) > len(COLOURS) and len(methods) > 1
    found: dict[str, EntryStyle] = {}
    for place, entry in enumerate(board.contestants):
        same = [other.label for other in board.contestants if other.method == entry.method]
        number = methods.index(entry.method) if many else place
        found[entry.label] = EntryStyle(colour(number), mark(same.index(entry.label) if many else place), True)
    for entry in board.entries:
        if entry.role != "contestant":
            found[entry.label] = EntryStyle(INK, REFERENCE_MARKS[entry.row], False)
    return found


def pareto_figure(
    board: Board, across: ScoreColumn, up: ScoreColumn, *, named: Collection[str] | None = None
) -> tuple[Figure, dict[str, Artist]]:
    """Also the marks of the entries by their labels. Those in `named` have names beside them, by default all."""
    figure = Figure(figsize=(6.6, 5), layout="constrained")
    styles = entry_styles(board)
    marks: dict[str, Artist] = {}
    axes = figure.add_subplot()
    points = {entry.label: point for entry in board.entries if (point := _point(board, entry, across, up))}
    for path in sweeps(board.contestants):
        _path(axes, [points[entry.label] for entry in path if entry.label in points])
    for label, (x, y) in points.items():
        style = styles[label]
        for own, line in ((x, axes.hlines), (y, axes.vlines)):
            if own.interval:
                line((y if own is x else x).mean, own.interval.low, own.interval.high, color=style.colour, alpha=0.35)
        [marks[label]] = axes.plot(x.mean, y.mean, linestyle="", zorder=3, **style.marker(8))
    _front(axes, board, points, (across, up))
    _levels(axes, board, up, points)
    axes.margins(0.12)
    axes.set_xlabel(f"{across.title} ({across.facts.better} is better): prompt fidelity")
    axes.set_ylabel(f"{up.title} ({up.facts.better} is better): subject fidelity")
    quiet(axes, grid="both")
    _name(axes, {label: (x.mean, y.mean) for label, (x, y) in points.items()}, points if named is None else named)
    return figure, marks


def sweeps(contestants: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Contestants of one method that differ in one number alone, in its order."""
    for method in dict.fromkeys(entry.method for entry in contestants):
        same = [entry for entry in contestants if entry.method == method]
        settings = [{**entry.settings, "step": entry.step} for entry in same]
        keys = differing(settings)
        if "hparams.steps" in keys and "step" in keys:
            keys.remove("step")
        if len(same) > 2 and len(keys) == 1 and all(_is_number(each.get(keys[0])) for each in settings):
            order = sorted(range(len(same)), key=lambda index: float(settings[index][keys[0]]))
            yield [same[index] for index in order]


def _point(board: Board, entry: Entry, across: ScoreColumn, up: ScoreColumn) -> tuple[Score, Score] | None:
    x, y = board.score(entry.label, across.key), board.score(entry.label, up.key)
    return (x, y) if x and y else None


def _path(axes: Axes, points: Sequence[tuple[Score, Score]]) -> None:
    arrow = {"arrowstyle": "-|>", "color": INK, "alpha": 0.45, "shrinkA": 5, "shrinkB": 5}
    for (x, y), (next_x, next_y) in pairwise(points):
        axes.annotate("", xy=(next_x.mean, next_y.mean), xytext=(x.mean, y.mean), arrowprops=arrow)


def _front(
    axes: Axes, board: Board, points: dict[str, tuple[Score, Score]], columns: tuple[ScoreColumn, ScoreColumn]
) -> None:
    contest = [points[entry.label] for entry in board.contestants if entry.label in points]
    places = [(x.mean, y.mean) for x, y in contest]
    across, up = (_direction(column) for column in columns)
    if across and up and len(on_front := pareto_front(places, (across, up))) > 1:
        line = [places[index] for index in on_front]
        axes.plot(*zip(*line, strict=True), color=INK, alpha=0.3, linewidth=1, linestyle=(0, (2, 2)), zorder=1)


def _levels(axes: Axes, board: Board, up: ScoreColumn, points: dict[str, tuple[Score, Score]]) -> None:
    """Entries without prompts, such as real photos, are a height."""
    for entry in board.entries:
        found = board.score(entry.label, up.key)
        if found and entry.label not in points:
            axes.axhline(found.mean, color=INK, alpha=0.35, linewidth=0.8, linestyle=(0, (4, 3)))
            axes.annotate(
                entry.label,
                (1, found.mean),
                (0, 4),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                fontsize=8.5,
                alpha=0.75,
            )


def _name(axes: Axes, points: dict[str, tuple[float, float]], named: Collection[str]) -> None:
    """Writes names beside their points, where they cover nothing."""
    assert isinstance(axes.figure, Figure)
    axes.figure.draw_without_rendering()
    centres = axes.transData.transform(list(points.values()))
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in centres]
    for label, place in ((label, place) for label, place in points.items() if label in named):
        for dx, dy, horizontal, vertical in PLACES:
            text = axes.annotate(
                label, place, (dx, dy), textcoords="offset points", ha=horizontal, va=vertical, fontsize=9, zorder=4
            )
            box = text.get_window_extent()
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 - 12
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()
        else:
            axes.annotate(label, place, PLACES[0][:2], textcoords="offset points", fontsize=9, zorder=4)


def _direction(column: ScoreColumn) -> Better | None:
    return None if column.facts.better == "neither" else column.facts.better


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


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


def _panel(axes: Axes, board: Board, column: ScoreColumn) -> None:
    styles = entry_styles(board)
    for place, entry in enumerate(board.entries):
        found = board.score(entry.label, column.key)
        if found is None:
            continue
        style = styles[entry.label]
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


def subjects_figure(board: Board, column: ScoreColumn) -> Figure:
    scores = {
        subject: {
            entry.label: found.mean
            for entry in board.entries
            if (found := board.score(entry.label, column.key, subject=subject))
        }
        for subject in board.subjects
    }
    contestants = {entry.label for entry in board.contestants}

    def order(subject: str) -> tuple[str, float]:
        own = [value for label, value in scores[subject].items() if label in contestants]
        return board.subjects[subject], -sum(own) / max(1, len(own))

    shown = sorted((subject for subject, own in scores.items() if contestants & set(own)), key=order)
    styles = entry_styles(board)
    figure = Figure(figsize=(7.4, 1.5 + 0.23 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, subject in enumerate(shown):
        own = scores[subject]
        among = [value for label, value in own.items() if label in contestants]
        axes.plot([min(among), max(among)], [place, place], color=INK, alpha=0.25, linewidth=1, zorder=1)
        if place and board.subjects[subject] != board.subjects[shown[place - 1]]:
            axes.axhline(place - 0.5, color=INK, alpha=0.35, linewidth=0.7, linestyle=(0, (4, 3)))
    for entry in board.entries:
        places = [
            (scores[subject][entry.label], place)
            for place, subject in enumerate(shown)
            if entry.label in scores[subject]
        ]
        if places:
            marker = styles[entry.label].marker(6 if entry.role == "contestant" else 4)
            axes.plot(*zip(*places, strict=True), linestyle="", label=entry.label, zorder=3, **marker)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks(range(len(shown)), shown)
    axes.set_xlabel(column.heading)
    quiet(axes, grid="x")
    figure.legend(loc="outside upper center", ncols=4, fontsize=9, handletextpad=0.3, columnspacing=1.4)
    return figure
