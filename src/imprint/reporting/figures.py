"""Figures inside a page: values over steps, and subject fidelity against prompt fidelity."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.ticker import MaxNLocator

from imprint.evaluation.score_sheet import MetricFacts
from imprint.reporting.scoreboard import Board
from imprint.reporting.scoreboard.columns import ScoreColumn, tradeoffs
from imprint.reporting.scoreboard.figures import pareto_figure
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.scoreboard.style import inline, quiet, single_axes, styled
from imprint.reporting.units import bounds, score

POINTS = 400  # more would only make the page heavier
FEW = 40  # so few points are marked
MOST_RAW = 6  # curves; of more, the noise would cover all
MOST_NAMED = 8  # contestants; the names of more would cover one another, and are in tooltips alone

Curve = Sequence[tuple[int, float]]


class CurveStyle(NamedTuple):
    label: str
    colour: str
    dash: str  # solid, dashed or dotted
    mark: str = ""  # in figures of scores; empty: it has none


class Panel(NamedTuple):
    title: str
    curves: Mapping[str, Curve]  # by run
    noisy: bool  # then its running mean is drawn


def panels(
    losses: Mapping[str, Curve],
    scores: Mapping[str, Mapping[str, Curve]],
    facts: Mapping[tuple[str, str, str], MetricFacts],
) -> list[Panel]:
    """`losses` are by run, `scores` by run and name: profile/metric@fingerprint.

    Each name that any run was scored by more than once has a panel of its own. `facts` are by the same three parts,
    with the fingerprint as short as in the name.
    """
    found = [Panel("loss", {run: curve for run, curve in losses.items() if curve}, True)]
    for name in dict.fromkeys(name for own in scores.values() for name in own):
        curves = {run: own[name] for run, own in scores.items() if own.get(name)}
        if any(len(curve) > 1 for curve in curves.values()):
            found.append(Panel(_title(name, scores, facts), curves, False))
    return [panel for panel in found if panel.curves]


def panel_svg(panel: Panel, styles: Mapping[str, CurveStyle]) -> str:
    """An inline SVG. What is not finite is left out."""
    with single_axes(5.6, 3.2) as (figure, axes):
        labels: dict[Artist, str] = {}
        runs: dict[Artist, list[str]] = {}
        for run, curve in panel.curves.items():
            steps, values = np.array([point for point in curve if np.isfinite(point[1])]).reshape(-1, 2).T
            stride = max(1, len(steps) // POINTS)
            style = styles[run]
            if panel.noisy:
                if len(panel.curves) <= MOST_RAW:
                    [raw] = axes.plot(steps[::stride], values[::stride], color=style.colour, linewidth=0.6, alpha=0.2)
                    labels[raw], runs[raw] = style.label, [Path(run).name]
                values = _running_mean(values, max(5, len(values) // 20))
            mark = "o" if len(steps) <= FEW and not panel.noisy else ""
            (line,) = axes.plot(
                steps[::stride],
                values[::stride],
                linewidth=1.6,
                marker=mark,
                markersize=3.5,
                color=style.colour,
                linestyle=style.dash,
            )
            last = f": {values[-1]:.4f} at step {steps[-1]:.0f}" if len(values) else ""
            labels[line], runs[line] = f"{style.label}{last}", [Path(run).name]
        axes.set_xlabel("optimiser step")
        axes.set_title(panel.title, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        quiet(axes, grid="both")
        return inline(figure, label=f"{panel.title} over optimiser steps", labels=labels, runs=runs)


def _title(
    name: str, scores: Mapping[str, Mapping[str, Curve]], facts: Mapping[tuple[str, str, str], MetricFacts]
) -> str:
    """`DINO ↑ (quick)`; with the fingerprint where the same metric was measured in several ways."""
    measured, _, fingerprint = name.partition("@")
    profile, _, metric = measured.rpartition("/")
    known = facts.get((profile, metric, fingerprint))
    heading = known.heading if known else metric
    alike = {other for own in scores.values() for other in own if other.partition("@")[0] == measured}
    return f"{heading} ({profile})" if len(alike) == 1 else f"{heading} ({profile}, {fingerprint})"


def _running_mean(values: "np.ndarray", window: int) -> "np.ndarray":
    """The mean of the last `window` values; of fewer where there are no more."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    means: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return means


class Plot(NamedTuple):
    title: str
    svg: str


def plots(board: Board) -> Iterator[Plot]:
    """Each pair of metrics that were measured on the same pictures, where two points or more can be compared."""
    for across, up in tradeoffs(board.columns):
        if sum(all(board.score(entry.label, c.key) for c in (across, up)) for entry in board.entries) < 2:
            continue
        title = f"{up.title} against {across.title}, {up.profile}"
        references = {entry.label for entry in board.entries if entry.role != "contestant"}
        with styled():
            named = None if len(board.contestants) <= MOST_NAMED else references
            figure, marks = pareto_figure(board, across, up, named=named)
            labels = {
                mark: "\n".join([label, *(_label(board.score(label, c.key), c) for c in (up, across))])
                for label, mark in marks.items()
            }
            contestants = [entry for entry in board.contestants if entry.label in marks]
            runs = {marks[entry.label]: [sheet.run for sheet in entry.sheets] for entry in contestants}
            yield Plot(title, inline(figure, label=title, labels=labels, runs=runs))


def _label(found: Score | None, column: ScoreColumn) -> str:
    assert found is not None
    return f"{column.title} {score(found.mean)} {bounds(found.interval)}".strip()
