"""Loss curves as SVG that takes its ink from the page around it."""

import io
import re
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#010203"  # stands for the page's text colour until the SVG is written
COLOURS = ["#4c78d0", "#e0833a", "#3f9d72", "#c2557f", "#8a6fd1", "#b3922d", "#3c9fb5", "#d25f50"]
POINTS = 400  # more would only make the page heavier

Curve = Sequence[tuple[int, float]]


def loss_curves(curves: Sequence[Curve]) -> str:
    """An inline SVG: every curve faint, and its running mean in the curve's colour (see `colour`)."""
    style = {"svg.hashsalt": "imprint", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(11.5, 3.9), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_alpha(0)
        axes = figure.add_subplot()
        axes.patch.set_alpha(0)
        for index, curve in enumerate(curves):
            steps, losses = np.array([point for point in curve if np.isfinite(point[1])]).reshape(-1, 2).T
            stride = max(1, len(steps) // POINTS)
            smooth = _running_mean(losses, max(5, len(losses) // 20))
            axes.plot(steps[::stride], losses[::stride], color=colour(index), linewidth=0.6, alpha=0.25)
            axes.plot(steps[::stride], smooth[::stride], color=colour(index), linewidth=1.8)
        axes.set_xlabel("optimiser step", color=INK)
        axes.set_ylabel("loss", color=INK)
        axes.tick_params(colors=INK, length=0)
        axes.grid(color=INK, alpha=0.12, linewidth=0.6)
        axes.set_axisbelow(True)
        for spine in axes.spines.values():
            spine.set_visible(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    return re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg))


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def _running_mean(values: "np.ndarray", window: int) -> "np.ndarray":
    """The mean of the last `window` values; of fewer where there are no more."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    means: np.ndarray = (sums[ends] - sums[starts]) / (ends - starts)
    return means
