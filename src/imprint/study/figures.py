"""Figures of a study: differences with their intervals, curves over shots and pictures, and how sure learners are."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from imprint.evaluation.statistics.intervals import Interval
from imprint.reporting.scoreboard.style import COLOURS, INK, colour, inline, mark, quiet, single_axes
from imprint.reporting.units import probability, score
from imprint.study.calibration import Sureness
from imprint.study.curves import Curve
from imprint.study.metrics import METRICS
from imprint.study.scores import Board, Standing
from imprint.study.tables import counted, less

BESIDE = 0.012  # of an axis's length: intervals at one place stand beside one another
LEAST_BETWEEN = 0.06  # of an axis's length, of two labels
SMALLEST, LARGEST = 2.5, 8.0  # marks of bins, by how many answers are in them
FEWEST = 10  # answers of a bin that is drawn: of fewer, the share that is right is any


class Style(NamedTuple):
    label: str
    colour: str
    dash: str
    mark: str
    is_reference: bool


class Figure(NamedTuple):
    svg: str


def styles_of(arms: Sequence[str], ceiling: str) -> dict[str, Style]:
    """The ceiling is no contestant: it has the colour of text."""
    others = [arm for arm in arms if arm != ceiling]
    dashes = ("solid", "dashed", "dotted")
    found = {
        arm: Style(arm, colour(place), dashes[place // len(COLOURS) % len(dashes)], mark(place), False)
        for place, arm in enumerate(others)
    }
    return found | ({ceiling: Style(ceiling, INK, "dashed", "o", True)} if ceiling in arms else {})


def differences(boards: Sequence[Board], metric: str, *, against: str, styles: Mapping[str, Style]) -> Figure | None:
    """Of one learner: each arm that has a style less `against`, for each number of shots."""
    lines = [
        (board, one)
        for board in boards
        for one in board.standings[metric]
        if one.difference is not None and one.arm in styles
    ]
    if not lines:
        return None
    learner, title = boards[0].learner, METRICS[metric].title
    with single_axes(5.6, 1.2 + 0.27 * (len(lines) + len(boards))) as (figure, axes):
        labels: dict[Artist, str] = {}
        ticks: list[tuple[float, str]] = []
        place = 0.0
        for board in boards:
            if len(boards) > 1:
                axes.annotate(
                    counted(board.shots, "shot"),
                    (0, place),
                    (4, 0),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    va="center",
                    fontsize=9,
                    alpha=0.7,
                )
                place += 1
            for one in (one for own, one in lines if own is board):
                labels[_difference(axes, one, place, styles[one.arm])] = _said(one, against, title, board)
                ticks.append((place, one.arm))
                place += 1
        axes.axvline(0, color=INK, alpha=0.5, linewidth=0.9)
        axes.set_ylim(place - 0.4, -0.6)
        axes.set_yticks([tick for tick, _ in ticks], [arm for _, arm in ticks])
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.set_title(f"{learner}: {title} less {against}", loc="left")
        quiet(axes, grid="x")
        svg = inline(figure, label=f"{learner}: {title}, arms less {against}", labels=labels)
    return Figure(svg)


def curve_figure(curves: Sequence[Curve], styles: Mapping[str, Style], *, against: str) -> Figure:
    """Of one learner and metric, a line an arm. Numbers across stand at distances as their logarithms; there may be
    none."""
    first = curves[0]
    title = METRICS[first.metric].title
    shots = "" if first.shots is None else f", {counted(first.shots, 'shot')}"
    over = "photos of each subject" if first.over == "shots" else f"pictures of each subject (0: {against})"
    levels = sorted({point.at for curve in curves for point in curve.points})
    width = math.log2(1 + levels[-1]) - math.log2(1 + levels[0])
    with single_axes(5.6, 3.4) as (figure, axes):
        labels: dict[Artist, str] = {}
        for order, curve in enumerate(curves):
            style, shift = styles[curve.arm], BESIDE * width * (order - (len(curves) - 1) / 2)
            places = [math.log2(1 + point.at) + shift for point in curve.points]
            means = [point.mean for point in curve.points]
            axes.plot(places, means, color=style.colour, linewidth=1.6, linestyle=style.dash, zorder=2)
            for place, point in zip(places, curve.points, strict=True):
                said = ""
                if point.low is not None and point.high is not None:
                    axes.vlines(place, point.low, point.high, color=style.colour, alpha=0.45, linewidth=1.6, zorder=2)
                    said = f" [{score(point.low)}, {score(point.high)}]"
                (drawn,) = axes.plot(place, point.mean, style.mark, color=style.colour, markersize=4.5, zorder=3)
                labels[drawn] = f"{point.arm}, {point.at:.3g}\n{title} {score(point.mean)}{said}"
        ticks = _ticks(levels, LEAST_BETWEEN * width)
        axes.set_xticks([math.log2(1 + number) for number in ticks], [f"{number:.3g}" for number in ticks])
        axes.set_xlabel(over)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_title(f"{first.learner}{shots}: {title}", loc="left")
        quiet(axes, grid="both")
        return Figure(inline(figure, label=f"{first.learner}{shots}: {title} over {over}", labels=labels))


def reliability(curves: Sequence[Sureness], styles: Mapping[str, Style]) -> Figure:
    """Of one learner and number of shots."""
    with single_axes(5.6, 4.2) as (figure, axes):
        labels: dict[Artist, str] = {}
        axes.plot([0, 1], [0, 1], color=INK, alpha=0.35, linewidth=0.9, linestyle=(0, (4, 3)))
        most = max(one.answers for curve in curves for one in curve.bins)
        for curve in curves:
            style, bins = styles[curve.arm], [one for one in curve.bins if one.answers >= FEWEST]
            across, up = [one.said for one in bins], [one.right for one in bins]
            axes.plot(across, up, color=style.colour, linewidth=1.2, linestyle=style.dash, alpha=0.7)
            for one in bins:
                size = SMALLEST + (LARGEST - SMALLEST) * (one.answers / most) ** 0.5
                (point,) = axes.plot(one.said, one.right, style.mark, color=style.colour, markersize=size)
                labels[point] = (
                    f"{curve.arm}\nsays {one.said:.2f}, is right {one.right:.2f}\n{counted(one.answers, 'answer')}"
                )
        axes.set_xlabel("probability of the answer")
        axes.set_ylabel("share that is right")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        title = f"{curves[0].learner}, {counted(curves[0].shots, 'shot')}"
        axes.set_title(title, loc="left")
        quiet(axes, grid="both")
        return Figure(inline(figure, label=f"{title}: how often answers are right", labels=labels))


def _ticks(levels: Sequence[float], least: float) -> list[float]:
    """Those whose labels do not cover one another, the last one among them."""
    found = [levels[-1]]
    for number in reversed(levels[:-1]):
        if math.log2(1 + found[-1]) - math.log2(1 + number) >= least:
            found.append(number)
    return found


def _difference(axes: Axes, one: Standing, place: float, style: Style) -> Artist:
    assert one.difference is not None
    _interval(axes.hlines, place, one.difference.interval, style)
    (point,) = axes.plot(one.difference.mean, place, style.mark, color=style.colour, markersize=5.5, zorder=3)
    return point


def _interval(line: object, place: float, interval: Interval | None, style: Style) -> None:
    if interval is not None:
        assert callable(line)
        line(place, interval.low, interval.high, color=style.colour, alpha=0.45, linewidth=1.6, zorder=2)


def _said(one: Standing, against: str, title: str, board: Board) -> str:
    difference = one.difference
    assert difference is not None
    interval = difference.interval
    said = "" if interval is None else f" [{less(interval.low)}, {less(interval.high)}]"
    return (
        f"{one.arm}, {counted(board.shots, 'shot')}\n{title} {score(one.mean)}\nless {against} "
        f"{less(difference.mean)}{said}\np (Holm) {probability(difference.p_holm)}"
    )


def of_learners(boards: Sequence[Board]) -> dict[str, list[Board]]:
    found: dict[str, list[Board]] = {}
    for board in boards:
        found.setdefault(board.learner, []).append(board)
    return found
