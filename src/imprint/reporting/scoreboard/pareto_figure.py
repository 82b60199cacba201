"""Subject fidelity against prompt fidelity: what one costs of the other."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from imprint.evaluation.statistics.pareto import Better, front
from imprint.reporting.labels import differing
from imprint.reporting.scoreboard.board import Board
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.looks import looks
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.scoreboard.style import INK, quiet

SUBJECT_FIDELITY = ("dino", "clip_i")
PROMPT_FIDELITY = ("clip_t",)
PLACES = ((6, 5, "left", "bottom"), (-6, 5, "right", "bottom"), (6, -5, "left", "top"), (-6, -5, "right", "top"))


def tradeoffs(board: Board) -> Iterator[tuple[Column, Column]]:
    """Pairs (prompt fidelity, subject fidelity) that were measured on the same pictures."""
    for across, up in product(board.columns, repeat=2):
        named = across.name in PROMPT_FIDELITY and up.name in SUBJECT_FIDELITY
        if named and (across.profile, across.sampling) == (up.profile, up.sampling):
            yield across, up


def pareto_figure(board: Board, across: Column, up: Column) -> Figure:
    figure = Figure(figsize=(6.6, 5), layout="constrained")
    axes = figure.add_subplot()
    points = {entry.label: point for entry in board.entries if (point := _point(board, entry, across, up))}
    for path in sweeps(board.contestants):
        _path(axes, [points[entry.label] for entry in path if entry.label in points])
    for label, (x, y) in points.items():
        look = looks(board)[label]
        for own, line in ((x, axes.hlines), (y, axes.vlines)):
            if own.interval:
                line((y if own is x else x).mean, own.interval.low, own.interval.high, color=look.colour, alpha=0.35)
        axes.plot(x.mean, y.mean, linestyle="", zorder=3, **look.marker(8))
    _front(axes, board, points, (across, up))
    _levels(axes, board, up, points)
    axes.margins(0.12)
    axes.set_xlabel(f"{across.title} ({across.facts.better} is better): prompt fidelity")
    axes.set_ylabel(f"{up.title} ({up.facts.better} is better): subject fidelity")
    quiet(axes, grid="both")
    _labelled(axes, {label: (x.mean, y.mean) for label, (x, y) in points.items()})
    return figure


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


def _point(board: Board, entry: Entry, across: Column, up: Column) -> tuple[Score, Score] | None:
    x, y = board.score(entry.label, across.key), board.score(entry.label, up.key)
    return (x, y) if x and y else None


def _path(axes: Axes, points: Sequence[tuple[Score, Score]]) -> None:
    arrow = {"arrowstyle": "-|>", "color": INK, "alpha": 0.45, "shrinkA": 5, "shrinkB": 5}
    for (x, y), (next_x, next_y) in pairwise(points):
        axes.annotate("", xy=(next_x.mean, next_y.mean), xytext=(x.mean, y.mean), arrowprops=arrow)


def _front(axes: Axes, board: Board, points: dict[str, tuple[Score, Score]], columns: tuple[Column, Column]) -> None:
    contest = [points[entry.label] for entry in board.contestants if entry.label in points]
    places = [(x.mean, y.mean) for x, y in contest]
    across, up = (_direction(column) for column in columns)
    if across and up and len(on_front := front(places, (across, up))) > 1:
        line = [places[index] for index in on_front]
        axes.plot(*zip(*line, strict=True), color=INK, alpha=0.3, linewidth=1, linestyle=(0, (2, 2)), zorder=1)


def _levels(axes: Axes, board: Board, up: Column, points: dict[str, tuple[Score, Score]]) -> None:
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


def _labelled(axes: Axes, points: dict[str, tuple[float, float]]) -> None:
    """Names beside their points, where they cover nothing."""
    assert isinstance(axes.figure, Figure)
    axes.figure.draw_without_rendering()
    centres = axes.transData.transform(list(points.values()))
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in centres]
    for label, place in points.items():
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


def _direction(column: Column) -> Better | None:
    return None if column.facts.better == "neither" else column.facts.better


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True
