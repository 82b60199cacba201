"""Figures of a metric over one, two and many settings. Orange is good, blue is not; where values cannot
be told apart all are grey."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Literal, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.patches import Rectangle

from imprint.evaluation.statistics.intervals import Interval
from imprint.reporting.contact_sheets import spread
from imprint.reporting.scoreboard.style import COLOURS, INK, inline, quiet, single_axes
from imprint.reporting.units import bounds, score

# As bright in the middle as at its ends, so that it is visible on light and dark pages.
SHADES = LinearSegmentedColormap.from_list("imprint", [COLOURS[0], "#a5a29a", COLOURS[1]])
ON_SHADES = "#101114"
LOGARITHMIC = 20  # a positive number whose largest value is so many times its smallest
LABELS = 6  # values below an axis
APART = 0.09  # of an axis's length: values nearer to each other would cover one another
JITTER = 0.04  # of an axis's length, over which lines through one value are spread


class Scale(NamedTuple):
    """A setting: its value in each run."""

    key: str
    heading: str
    texts: Sequence[str]
    numbers: Sequence[float] | None  # the same, where all are numbers

    @property
    def levels(self) -> list[str]:
        """Numbers by size, words as they first appear."""
        if self.numbers is None:
            return list(dict.fromkeys(self.texts))
        size = dict(zip(self.texts, self.numbers, strict=True))
        return sorted(size, key=lambda text: size[text])

    @property
    def places(self) -> list[float]:
        """Of each run, along an axis from 0 to 1."""
        if self.numbers is None:
            return [self.levels.index(text) / (len(self.levels) - 1) for text in self.texts]
        if self.is_logarithmic:
            return _between_0_and_1([math.log(number) for number in self.numbers])
        return _between_0_and_1(self.numbers)

    @property
    def is_logarithmic(self) -> bool:
        return self.numbers is not None and 0 < LOGARITHMIC * min(self.numbers) < max(self.numbers)


class Measured(NamedTuple):
    """A metric of each run."""

    title: str
    better: Literal["higher", "lower", "neither"]
    values: Sequence[float]
    intervals: Sequence[Interval | None]
    names: Sequence[str]
    runs: Sequence[str]  # their folders' names
    are_apart: bool  # the highest and the lowest: otherwise colours would show noise

    def shades(self, values: Sequence[float]) -> list[str]:
        low, high = min(self.values), max(self.values)
        shares = [(value - low) / (high - low) if self.are_apart and high > low else 0.5 for value in values]
        return [to_hex(SHADES(1 - share if self.better == "lower" else share)) for share in shares]


def response(scale: Scale, measured: Measured) -> str:
    """The metric along one setting."""
    with single_axes(5.6, 3.2) as (figure, axes):
        across = scale.numbers or [float(scale.levels.index(text)) for text in scale.texts]
        labels: dict[Artist, str] = {}
        runs: dict[Artist, list[str]] = {}
        every = zip(across, measured.values, measured.intervals, scale.texts, measured.runs, strict=True)
        for x, value, interval, text, run in every:
            if interval:
                axes.vlines(x, interval.low, interval.high, color=COLOURS[0], alpha=0.4)
            (mark,) = axes.plot(x, value, "o", color=COLOURS[0], markersize=6)
            labels[mark] = f"{scale.heading} {text}\n{measured.title} {score(value)} {bounds(interval)}".strip()
            runs[mark] = [run]
        if scale.is_logarithmic:
            axes.set_xscale("log")
            axes.minorticks_off()
        places = dict(zip(scale.texts, across, strict=True))
        shown = spread(scale.levels, LABELS)
        axes.set_xticks([places[text] for text in shown], shown)
        axes.margins(x=0.1)
        axes.set_xlabel(scale.heading)
        axes.set_title(measured.title, loc="left")
        quiet(axes, grid="both")
        return inline(figure, label=f"{measured.title} along {scale.heading}", labels=labels, runs=runs)


def heat_map(across: Scale, down: Scale, measured: Measured) -> str:
    """The metric by two settings: means, where several runs share them."""
    columns, rows = across.levels, down.levels
    members: dict[tuple[str, str], list[int]] = {}
    for place, cell in enumerate(zip(across.texts, down.texts, strict=True)):
        members.setdefault(cell, []).append(place)
    turned = max(map(len, columns)) * len(columns) > 60
    with single_axes(5.6, max(2.2, 0.45 * len(rows) + (1.7 if turned else 1.1))) as (figure, axes):
        labels: dict[Artist, str] = {}
        runs: dict[Artist, list[str]] = {}
        for (column, row), places in members.items():
            mean = fmean(measured.values[place] for place in places)
            corner = (columns.index(column) - 0.48, rows.index(row) - 0.46)
            [shade] = measured.shades([mean])
            box = axes.add_patch(Rectangle(corner, 0.96, 0.92, facecolor=shade, linewidth=0))
            middle = (corner[0] + 0.48, corner[1] + 0.46)
            number = axes.text(*middle, score(mean), ha="center", va="center", color=ON_SHADES)
            runs[box] = runs[number] = [measured.runs[place] for place in places]
            over = f"\nmean over {len(places)} runs" if len(places) > 1 else ""
            labels[box] = f"{across.heading} {column}, {down.heading} {row}\n{measured.title} {score(mean)}{over}"
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xticks(range(len(columns)), columns, rotation=30 if turned else 0, ha="right" if turned else "center")
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xlabel(across.heading)
        axes.set_ylabel(down.heading)
        axes.set_title(measured.title, loc="left")
        quiet(axes, grid="both")
        axes.grid(visible=False)
        return inline(
            figure, label=f"{measured.title} by {across.heading} and {down.heading}", labels=labels, runs=runs
        )


def parallel_coordinates(scales: Sequence[Scale], measured: Measured) -> str:
    """A line a run, through its value of each setting to the metric."""
    heights = np.array([*map(_jittered, scales), _between_0_and_1(measured.values)])
    better = sorted(
        range(len(measured.values)), key=lambda run: measured.values[run], reverse=measured.better == "lower"
    )
    shades = measured.shades(measured.values)
    with single_axes(6.6, 3.6) as (figure, axes):
        labels: dict[Artist, str] = {}
        runs: dict[Artist, list[str]] = {}
        for run in better:  # the best is on top
            (thin,) = axes.plot(heights[:, run], color=shades[run], linewidth=1.6, alpha=0.85, zorder=2)
            (wide,) = axes.plot(heights[:, run], color=shades[run], linewidth=9, alpha=0, zorder=3)  # for the pointer
            settings = ", ".join(f"{scale.heading} {scale.texts[run]}" for scale in scales)
            number = f"{measured.title} {score(measured.values[run])} {bounds(measured.intervals[run])}".strip()
            labels[wide] = f"{measured.names[run]}\n{settings}\n{number}"
            runs[wide] = runs[thin] = [measured.runs[run]]
        for place, scale in enumerate(scales):
            _axis(axes, place, dict(zip(scale.texts, scale.places, strict=True)))
        values = dict(zip(map(score, measured.values), heights[-1], strict=True))
        _axis(axes, len(scales), values)
        axes.set_xticks(range(len(scales) + 1), [*(scale.heading for scale in scales), measured.title])
        axes.set_yticks([])
        axes.margins(x=0.1, y=0.04)
        quiet(axes, grid="x")
        axes.grid(visible=False)
        title = f"{measured.title} by {', '.join(scale.heading for scale in scales)}"
        return inline(figure, label=title, labels=labels, runs=runs)


def _axis(axes: Axes, place: int, values: Mapping[str, float]) -> None:
    """A line upwards, and some of the values beside it."""
    axes.axvline(place, color=INK, alpha=0.35, linewidth=0.8, zorder=1)
    ordered = sorted(values, key=lambda text: values[text])
    shown = [ordered[-1]]
    for text in ordered[:-1]:
        if all(abs(values[text] - values[other]) >= APART for other in shown):
            shown.append(text)
    for text in shown:
        axes.annotate(
            text, (place, values[text]), (4, 0), textcoords="offset points", va="center", fontsize=8.5, zorder=4
        )


def _jittered(scale: Scale) -> list[float]:
    """Its places; runs with the same value are a little apart, so that each can be seen."""
    found = []
    for run, text in enumerate(scale.texts):
        alike = [place for place, other in enumerate(scale.texts) if other == text]
        offset = alike.index(run) / (len(alike) - 1) - 0.5 if len(alike) > 1 else 0.0
        found.append(scale.places[run] + JITTER * offset)
    return found


def _between_0_and_1(numbers: Sequence[float]) -> list[float]:
    low, high = min(numbers), max(numbers)
    return [(number - low) / (high - low) if high > low else 0.5 for number in numbers]
