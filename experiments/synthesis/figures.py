"""Accuracy of the arms with their intervals, from what the studies left in results/.

python experiments/synthesis/figures.py                        tables and figures
python experiments/synthesis/figures.py keep FOLDER NAME       first puts a study's numbers there
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from imprint.evaluation.statistics.comparing import sign_flip_p
from imprint.evaluation.statistics.crossing import table_of_differences
from imprint.evaluation.statistics.intervals import difference_interval
from imprint.files import write_text
from imprint.reporting.scoreboard.style import colour, mark, quiet, save, single_axes

RESULTS = Path(__file__).parent / "results"
STUDIES = ("tuning", "compared", "real", "drawn")
PAIRS = (
    ("chosen", "paste_tuned"),
    ("chosen", "paste"),
    ("paste_tuned", "paste"),
    ("all", "paste"),
    ("synthetic", "paste"),
)
METRICS = ("accuracy", "average_precision", "nll")


def main(*arguments: str) -> None:
    if arguments:
        _, folder, name = arguments
        keep(Path(folder), name)
    for name in STUDIES:
        if boards := read(name):
            write_text(RESULTS / f"{name}.md", table(boards))
            draw(name, boards)
    if boards := read("compared"):
        write_text(RESULTS / "pairs.md", pairs(boards))


def keep(folder: Path, name: str) -> None:
    """Tables as they are, and their numbers on one line each; without the place where it was computed."""
    text = (folder / "study.md").read_text(encoding="utf-8")
    write_text(RESULTS / f"{name}.md", text.replace(f"{Path.cwd()}/", ""))
    boards = json.loads((folder / "study.json").read_text(encoding="utf-8"))["boards"]
    write_text(RESULTS / f"{name}.json", "[\n" + ",\n".join(map(json.dumps, boards)) + "\n]\n")


def read(name: str) -> list[dict[str, Any]]:
    files = sorted(RESULTS.glob(f"{name}-*.json"))
    return [board for file in files for board in json.loads(file.read_text(encoding="utf-8"))]


def title(board: Mapping[str, Any]) -> str:
    return f"{board['learner']}, {board['shots']} shot{'s' * (board['shots'] != 1)}"


def table(boards: list[dict[str, Any]]) -> str:
    """Means, and the difference from the arm that others are compared with."""
    lines = [f"| | {' | '.join(map(title, boards))} |", f"|---|{'---|' * len(boards)}"]
    for arm in dict.fromkeys(arm for board in boards for arm in board["arms"]):
        lines.append(f"| {arm} | {' | '.join(cell(board['arms'].get(arm)) for board in boards)} |")
    return "\n".join(lines) + "\n"


def cell(of: Mapping[str, Any] | None) -> str:
    if of is None:
        return ""
    own = of["accuracy"]
    mean = f"{own['mean']:.3f}"
    difference = own["difference"]
    if difference is None:
        return mean
    bounds = difference["interval"]
    interval = f" [{bounds['low']:+.3f}, {bounds['high']:+.3f}]" if bounds else ""
    return f"{mean}, {difference['mean']:+.3f}{interval}, p {difference['p_holm']:.3f}"


def pairs(boards: list[dict[str, Any]]) -> str:
    """Arms less others than `classical`, subject by subject, with seeds averaged."""
    lines = [f"| | | {' | '.join(map(title, boards))} |", f"|---|---|{'---|' * len(boards)}"]
    for arm, base in PAIRS:
        for metric in METRICS:
            cells = " | ".join(difference(board["arms"], arm, base, metric) for board in boards)
            lines.append(f"| {arm} less {base} | {metric} | {cells} |")
    return "\n".join(lines) + "\n"


def difference(arms: Mapping[str, Any], arm: str, base: str, metric: str) -> str:
    own, other = (arms[name][metric]["by_subject"] for name in (arm, base))
    by_subject = {who: float(np.mean(own[who]) - np.mean(other[who])) for who in own}
    mean = float(np.mean(list(by_subject.values())))
    cells = table_of_differences({who: {"": value} for who, value in by_subject.items()})
    bounds = difference_interval(cells, centre=mean, draws=10_000, seed=0)
    assert bounds is not None
    p = sign_flip_p(np.array(list(by_subject.values())))
    return f"{mean:+.3f} [{bounds.low:+.3f}, {bounds.high:+.3f}], p {p:.3f}"


def draw(name: str, boards: list[dict[str, Any]]) -> None:
    arms = list(dict.fromkeys(arm for board in boards for arm in board["arms"]))
    with single_axes(7.2, 0.42 * len(arms) + 1.2) as (figure, axes):
        for place, board in enumerate(boards):
            shift = 0.16 * (place - (len(boards) - 1) / 2)
            for row, arm in enumerate(arms):
                own = board["arms"][arm]["accuracy"]
                y = len(arms) - row - shift
                if own["interval"]:
                    axes.plot([own["interval"]["low"], own["interval"]["high"]], [y, y], color=colour(place), lw=1.2)
                axes.plot([own["mean"]], [y], mark(place), color=colour(place), label=title(board) if not row else None)
        axes.set_yticks([len(arms) - row for row in range(len(arms))], arms)
        axes.set_xlabel("accuracy, with 95% intervals for other subjects")
        quiet(axes, grid="x")
        figure.legend(loc="outside upper center", ncols=len(boards))
        svg, png = save(figure, RESULTS, name)
        png.unlink()
        print(svg)


if __name__ == "__main__":
    main(*sys.argv[1:])
