"""Accuracy of the arms with their intervals, from what the studies left in results/.

python experiments/synthesis/figures.py                        tables and figures
python experiments/synthesis/figures.py keep FOLDER NAME       first puts a study's numbers there
python experiments/synthesis/figures.py likeness FOLDER...     first measures drawn pictures
python experiments/synthesis/figures.py runs FOLDER...         says which runs drew data sets
python experiments/synthesis/figures.py looks WORLD            says of a world's fresh pictures which are as no photo is
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from imprint.evaluation.statistics.comparing import holm, sign_flip_p
from imprint.evaluation.statistics.crossing import table_of_differences
from imprint.evaluation.statistics.intervals import difference_interval
from imprint.files import write_text
from imprint.miniature.subjects import by_name, is_held_out
from imprint.reporting.scoreboard.style import colour, mark, quiet, save, single_axes

RESULTS = Path(__file__).parent / "results"
STUDIES = ("kinds", "tuning", "compared", "sixteen", "real", "drawn", "methods")
DIGITS = 5
KEPT = 15  # of the twenty pictures of a subject
PAIRS = (
    ("chosen", "paste_tuned"),
    ("chosen", "paste"),
    ("paste_tuned", "paste"),
    ("all", "paste"),
    ("synthetic", "paste"),
    ("synthetic", "untuned"),
)
METRICS = ("accuracy", "average_precision", "nll")
KINDS = {"none": "pictures as photos are"}
SHIFTED = ("accuracy", "average_precision")  # of photos of one kind


def main(*arguments: str) -> None:
    if arguments:
        verb, *given = arguments
        if verb == "looks":
            looks(Path(given[0]))
            return
        if verb == "runs":
            print(",".join(str(run) for folder in given for run in runs(Path(folder))))
            return
        if verb == "keep":
            keep(Path(given[0]), given[1])
        else:
            write_text(RESULTS / "likeness.md", likeness([Path(folder) for folder in given]))
    for name in STUDIES:
        if boards := read(name):
            write_text(RESULTS / f"{name}.md", table(boards))
            if name in ("kinds", "tuning", "compared"):
                draw(name, boards)
            if name in ("kinds", "tuning", "methods"):
                write_text(RESULTS / f"{name}.md", table(boards) + ranking(boards))
    if boards := read("compared"):
        write_text(RESULTS / "compared.md", table(boards) + gaps(boards))
        write_text(RESULTS / "pairs.md", pairs(boards))
    if boards := read("sixteen"):  # asked later, and corrected apart
        write_text(RESULTS / "sixteen.md", table(boards) + gaps(boards) + "\n" + pairs(boards))
    if read("real") and read("drawn"):
        draw_worth(read("real"), read("drawn"))


def keep(folder: Path, name: str) -> None:
    """Tables as they are, and their numbers on one line each; without the place where it was computed."""
    text = (folder / "study.md").read_text(encoding="utf-8")
    write_text(RESULTS / f"{name}.md", text.replace(f"{Path.cwd()}/", ""))
    boards = json.loads((folder / "study.json").read_text(encoding="utf-8"))["boards"]
    write_text(
        RESULTS / f"{name}.json", "[\n" + ",\n".join(json.dumps(rounded(small(board))) for board in boards) + "\n]\n"
    )


def small(board: dict[str, Any]) -> dict[str, Any]:
    """Without what no table is made of."""
    shifts = {
        kind: {
            arm: {metric: {"by_subject": of[metric]["by_subject"]} for metric in SHIFTED} for arm, of in arms.items()
        }
        for kind, arms in board["shifts"].items()
    }
    return board | {"shifts": shifts}


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return [rounded(one) for one in value] if isinstance(value, list) else value


def looks(world: Path) -> None:
    """Says beside the fresh pictures which are from another side, in light that no photo is in, or of a subject that is
    dressed: studies tell of these apart. And makes sure that pre-training has seen nobody of this world."""
    truth = json.loads((world / "truth.json").read_text(encoding="utf-8"))
    for name in truth["subjects"]:
        who = by_name(name)
        if who is None or not is_held_out(who):
            raise SystemExit(f"{name}: pre-training may have seen this subject.")
    for folder in sorted((world / "fresh").iterdir()):
        lines = []
        for file in sorted(folder.glob("*.png")):
            scene = truth["pictures"][file.relative_to(world).as_posix()]
            other = scene["view"] != "front" or scene["light"] not in ("day", "warm") or scene["attribute"]
            lines.append(json.dumps({"file_name": file.name, "shift": "other look" if other else ""}))
        write_text(folder / "metadata.jsonl", "\n".join(lines) + "\n")


def likeness(folders: list[Path]) -> str:
    """How like its subject a picture is, by the filter `identity`: the mean cosine with the subject's photos, less that
    with the nearest other subject's; of all that was drawn, whatever filters say of it. And what `imprint evaluate`
    says of the runs that drew them."""
    lines = [
        "| | margin, mean of subjects | lowest | highest | nearest to another subject | DINO | CLIP-T |",
        "|---|---|---|---|---|---|---|",
    ]
    for folder in folders:
        by_subject: dict[str, list[float]] = {}
        for file in (folder / "train" / "metadata.jsonl", folder / ".rejected" / "metadata.jsonl"):
            for row in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
                margins = [score["value"] for score in row["scores"] if score["filter"] == "identity"]
                by_subject.setdefault(row["subject"], []).extend(margins)
        means = [float(np.mean(margins)) for margins in by_subject.values()]
        others = np.mean([margin < 0 for margins in by_subject.values() for margin in margins])
        scores = [scored(run) for run in runs(folder)]
        evaluated = [float(np.mean([own[metric]["mean"] for own in scores])) for metric in ("dino", "clip_t")]
        numbers = " | ".join(f"{value:.3f}" for value in (np.mean(means), min(means), max(means), others, *evaluated))
        lines.append(f"| {folder.name} | {numbers} |")
    return "\n".join(lines) + "\n"


def runs(folder: Path) -> list[Path]:
    """Those that drew a data set."""
    about = json.loads((folder / "synthesis.json").read_text(encoding="utf-8"))
    return [Path("outputs") / name for name in about["settings"]["runs"].values()]


def scored(run: Path) -> Mapping[str, Any]:
    [file] = (run / "scores").glob("dreambooth_paper-*.json")
    scores: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))["rows"]["tuned"]
    return scores


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
    return f"{mean}, {difference['mean']:+.3f}{interval}, {chance(difference['p_holm'])}"


def ranking(boards: list[dict[str, Any]]) -> str:
    """The arms by what is chosen by: the mean accuracy of all learners and numbers of photos. Differences from the best
    are subject by subject, and their tests are corrected by Holm."""
    means = {arm: by_subject_of_all(boards, arm) for arm in boards[0]["arms"]}
    first, *others = sorted(means, key=lambda arm: -mean_of(means[arm]))
    found = [less(means[arm], means[first]) for arm in others]
    lines = ["", f"| | mean | less {first} |", "|---|---|---|", f"| {first} | {mean_of(means[first]):.4f} | |"]
    for arm, (said, _), p in zip(others, found, holm([p for _, p in found]), strict=True):
        lines.append(f"| {arm} | {mean_of(means[arm]):.4f} | {said}, {chance(p)} |")
    return "\n".join(lines) + "\n"


def by_subject_of_all(boards: list[dict[str, Any]], arm: str) -> dict[str, float]:
    own = [board["arms"][arm]["accuracy"]["by_subject"] for board in boards]
    return {who: float(np.mean([of[who] for of in own])) for who in own[0]}


def mean_of(by_subject: Mapping[str, float]) -> float:
    return float(np.mean(list(by_subject.values())))


def gaps(boards: list[dict[str, Any]]) -> str:
    """Which share of what `truth` gains over `classical` an arm gains."""
    lines = ["", f"| gap closed | {' | '.join(map(title, boards))} |", f"|---|{'---|' * len(boards)}"]
    for arm in boards[0]["arms"]:
        cells = []
        for board in boards:
            own = board["arms"][arm]["accuracy"]
            bounds = own["closed_interval"]
            interval = f" [{bounds['low']:.2f}, {bounds['high']:.2f}]" if bounds else ""
            cells.append("" if own["closed"] is None else f"{own['closed']:.2f}{interval}")
        lines.append(f"| {arm} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def pairs(boards: list[dict[str, Any]]) -> str:
    """Arms less others than `classical`, subject by subject, with seeds averaged; and the same on pictures of one kind
    alone. Tests are corrected by Holm over the columns of a row."""
    lines = [f"| | | {' | '.join(map(title, boards))} |", f"|---|---|{'---|' * len(boards)}"]
    kinds = list(boards[0]["shifts"])
    for arm, base in PAIRS:
        for metric in METRICS:
            cells = differences([board["arms"] for board in boards], arm, base, metric)
            lines.append(f"| {arm} less {base} | {metric} | {cells} |")
        for kind in kinds:
            for metric in SHIFTED:
                cells = differences([board["shifts"][kind] for board in boards], arm, base, metric)
                lines.append(f"| {arm} less {base} | {metric}, of {KINDS.get(kind, kind)} | {cells} |")
    return "\n".join(lines) + "\n"


def differences(boards: list[Mapping[str, Any]], arm: str, base: str, metric: str) -> str:
    found = [difference(arms, arm, base, metric) for arms in boards]
    corrected = holm([p for _, p in found])
    return " | ".join(f"{said}, {chance(p)}" for (said, _), p in zip(found, corrected, strict=True))


def chance(p: float) -> str:
    return f"p {p:.3f}" if p >= 5e-4 else "p < .001"


def difference(arms: Mapping[str, Any], arm: str, base: str, metric: str) -> tuple[str, float]:
    own, other = (
        {who: float(np.mean(of)) for who, of in arms[name][metric]["by_subject"].items()} for name in (arm, base)
    )
    return less(own, other)


def less(own: Mapping[str, float], other: Mapping[str, float]) -> tuple[str, float]:
    """The mean difference with its interval over subjects, and the test's p."""
    by_subject = {who: own[who] - other[who] for who in own}
    cells = table_of_differences({who: {"": value} for who, value in by_subject.items()})
    bounds = difference_interval(cells, centre=mean_of(by_subject), draws=10_000, seed=0)
    assert bounds is not None
    p = sign_flip_p(np.array(list(by_subject.values())))
    return f"{mean_of(by_subject):+.3f} [{bounds.low:+.3f}, {bounds.high:+.3f}]", p


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
        axes.set_xlabel("accuracy, with 95% intervals")
        quiet(axes, grid="x")
        figure.legend(loc="outside upper center", ncols=len(boards))
        svg, png = save(figure, RESULTS, name)
        png.unlink()
        print(svg)


def draw_worth(real: list[dict[str, Any]], drawn: list[dict[str, Any]]) -> None:
    """Accuracy by how many pictures of each subject there are: photos alone, or one photo and drawn ones."""
    lines = [
        "| | drawn pictures beside one photo | accuracy | as that many photos | drawn for a photo more |",
        "|---|---|---|---|---|",
    ]
    with single_axes(6, 3.6) as (figure, axes):
        for place, learner in enumerate(dict.fromkeys(board["learner"] for board in real)):
            photos = {
                board["shots"]: mean_accuracy(board["arms"]["classical"])
                for board in real
                if board["learner"] == learner
            }
            [board] = [board for board in drawn if board["learner"] == learner]
            pictures = {1: mean_accuracy(board["arms"]["classical"])}
            for arm, of in board["arms"].items():
                if arm.startswith("synthetic"):
                    pictures[1 + int(arm.partition("-")[2] or KEPT)] = mean_accuracy(of)
            pictures = dict(sorted(pictures.items()))
            for style, what, points in (("-", "photos", photos), ("--", "one photo, and drawn ones", pictures)):
                label = f"{learner}, {what}"
                axes.plot(
                    list(points), list(points.values()), f"{mark(place)}{style}", color=colour(place), label=label
                )
            for count, height in list(pictures.items())[1:]:
                like = 2 ** np.interp(height, list(photos.values()), np.log2(list(photos)))
                lines.append(
                    f"| {learner} | {count - 1} | {height:.3f} | {like:.1f} | {(count - 1) / (like - 1):.1f} |"
                )
        axes.set_xscale("log", base=2)
        axes.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        axes.set_xlabel("pictures of each subject")
        axes.set_ylabel("accuracy")
        quiet(axes, grid="both")
        figure.legend(loc="outside upper center", ncols=2)
        svg, png = save(figure, RESULTS, "worth")
        png.unlink()
        print(svg)
    write_text(RESULTS / "worth.md", "\n".join(lines) + "\n")


def mean_accuracy(of: Mapping[str, Any]) -> float:
    return float(of["accuracy"]["mean"])


if __name__ == "__main__":
    main(*sys.argv[1:])
