"""Values over steps: a panel for the loss, and one for each metric that was scored on the way."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from imprint.evaluation.sheet import MetricFacts
from imprint.reporting.inline import inline
from imprint.reporting.scoreboard.columns import ARROWS
from imprint.reporting.scoreboard.style import quiet, styled

POINTS = 400  # more would only make the page heavier
FEW = 40  # so few points are marked
MOST_RAW = 6  # curves; of more, the noise would cover all

Curve = Sequence[tuple[int, float]]


class Look(NamedTuple):
    label: str
    colour: str
    dash: str  # solid, dashed or dotted


class Panel(NamedTuple):
    title: str
    curves: Mapping[str, Curve]  # by run
    noisy: bool  # then its running mean is what is looked at


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


def drawn(panel: Panel, looks: Mapping[str, Look]) -> str:
    """An inline SVG. What is not finite is left out."""
    with styled():
        figure = Figure(figsize=(5.6, 3.2), layout="constrained")
        axes = figure.add_subplot()
        told: dict[Artist, str] = {}
        for run, curve in panel.curves.items():
            steps, values = np.array([point for point in curve if np.isfinite(point[1])]).reshape(-1, 2).T
            stride = max(1, len(steps) // POINTS)
            look = looks[run]
            if panel.noisy:
                if len(panel.curves) <= MOST_RAW:
                    axes.plot(steps[::stride], values[::stride], color=look.colour, linewidth=0.6, alpha=0.2)
                values = _running_mean(values, max(5, len(values) // 20))
            mark = "o" if len(steps) <= FEW and not panel.noisy else ""
            (line,) = axes.plot(
                steps[::stride],
                values[::stride],
                linewidth=1.6,
                marker=mark,
                markersize=3.5,
                color=look.colour,
                linestyle=look.dash,
            )
            last = f": {values[-1]:.4f} at step {steps[-1]:.0f}" if len(values) else ""
            told[line] = f"{look.label}{last}"
        axes.set_xlabel("optimiser step")
        axes.set_title(panel.title, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        quiet(axes, grid="both")
        return inline(figure, label=f"{panel.title} over optimiser steps", told=told)


def _title(
    name: str, scores: Mapping[str, Mapping[str, Curve]], facts: Mapping[tuple[str, str, str], MetricFacts]
) -> str:
    """`DINO ↑ (quick)`; with the fingerprint where the same metric was measured in several ways."""
    measured, _, fingerprint = name.partition("@")
    profile, _, metric = measured.rpartition("/")
    known = facts.get((profile, metric, fingerprint))
    said = f"{known.title} {ARROWS[known.better]}".strip() if known else metric
    alike = {other for own in scores.values() for other in own if other.partition("@")[0] == measured}
    return f"{said} ({profile})" if len(alike) == 1 else f"{said} ({profile}, {fingerprint})"


def _running_mean(values: "np.ndarray", window: int) -> "np.ndarray":
    """The mean of the last `window` values; of fewer where there are no more."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    means: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return means
