"""Subject fidelity against prompt fidelity, inside a page."""

from collections.abc import Iterator
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from imprint.reporting.inline import inline
from imprint.reporting.scoreboard import Board
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.lines import bounds
from imprint.reporting.scoreboard.pareto_figure import pareto_figure, tradeoffs
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.scoreboard.style import styled
from imprint.reporting.units import score

MOST_NAMED = 8  # contestants; the names of more would cover one another, and are told by the pointer alone


class Plot(NamedTuple):
    title: str
    svg: str


def plots(board: Board) -> Iterator[Plot]:
    """Each pair of metrics that were measured on the same pictures, where two points or more can be compared."""
    for across, up in tradeoffs(board):
        shown = [entry.label for entry in board.entries if all(board.score(entry.label, c.key) for c in (across, up))]
        if len(shown) < 2:
            continue
        title = f"{up.title} against {across.title}, {up.profile}"
        with styled():
            figure = pareto_figure(board, across, up)
            if len(board.contestants) > MOST_NAMED:
                _unname(figure, {entry.label for entry in board.contestants})
            told = {
                point: "\n".join([label, *(_told(board.score(label, c.key), c) for c in (up, across))])
                for point, label in zip(_points(figure), shown, strict=True)
            }
            yield Plot(title, inline(figure, label=title, told=told))


def _points(figure: Figure) -> list[Artist]:
    """The marks of the entries, in their order."""
    (axes,) = figure.axes
    return [line for line in axes.lines if line.get_linestyle() == "None"]


def _unname(figure: Figure, labels: set[str]) -> None:
    (axes,) = figure.axes
    for text in [text for text in axes.texts if text.get_text() in labels]:
        text.remove()


def _told(found: Score | None, column: Column) -> str:
    assert found is not None
    return f"{column.title} {score(found.mean)} {bounds(found.interval)}".strip()
