"""Curves: what each side takes against how much there is to do, and how good it is after how long."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imprint.reporting.scoreboard.style import colour, mark, quiet, save, styled

SCORES = {"dino": "DINO", "clip_t": "CLIP-T"}
OWN = ("imprint", "imprint, one after another")  # of one colour each in all pictures; the other side comes after them
Result = Mapping[str, Any]


def draw(result: Result, folder: Path, name: str) -> list[Path]:
    """As SVG and PNG."""
    with styled():
        figure = _quality(result) if result["figure"] == "quality" else _curve(result)
        return save(figure, folder, name)


def _curve(result: Result) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.add_subplot()
    amounts = [float(key) for key in result["quantities"]]
    for side, values in result["medians"].items():
        _line(axes, side, amounts, [values[key] for key in result["quantities"]])
    axes.set_title(result["title"], loc="left")
    axes.set_xlabel(result["axis"])
    axes.set_ylabel(_seconds(result))
    axes.set_xticks(amounts)
    axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
    axes.legend()
    return figure


def _quality(result: Result) -> Figure:
    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    steps = [key.removeprefix("seconds-") for key in result["quantities"] if key.startswith("seconds-")]
    for place, (key, title) in enumerate(SCORES.items()):
        axes = figure.add_subplot(1, len(SCORES), place + 1)
        for side, values in result["medians"].items():
            seconds = [values[f"seconds-{number}"] for number in steps]
            _line(axes, side, seconds, [values[f"{key}-{number}"] for number in steps])
        axes.set_title(title, loc="left")
        axes.set_xlabel(f"{_seconds(result)}, whole program")
        axes.set_xlim(left=0)
        if place == 0:
            axes.legend()
    figure.suptitle(f"{result['title']}: {', '.join(steps)}", x=0.01, ha="left", fontsize=10.5)
    return figure


def _line(axes: Axes, side: str, across: Sequence[float], up: Sequence[float]) -> None:
    index = OWN.index(side) if side in OWN else len(OWN)
    axes.plot(across, up, color=colour(index), marker=mark(index), markersize=5, linewidth=1.4, label=side)
    quiet(axes, grid="y")


def _seconds(result: Result) -> str:
    return "seconds" if result["clock"] == "wall" else "CPU seconds"
