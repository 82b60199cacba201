"""How near tuned upscalers come to the truth, beside the untuned one, on new pictures of their subject and of others.

python experiments/superres/measure.py outputs/superres experiments/superres/results

writes pictures.csv, a row for each picture, and gains.md. PSNR is in dB: of all, within the subject, in the strokes of
its engraving; `low` is that of the result's means against the picture that was enlarged.
"""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from points import BASE, LOW_SIDES, SUBJECTS, Point
from tables import REGIONS, UNTUNED, gains_of, report

from imprint.miniature.canvas import stream
from imprint.miniature.places import PLACES
from imprint.miniature.renderer import draw, engraving_mask, mask
from imprint.miniature.sampling import random_pose
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import class_noun, named
from imprint.models.base import Model
from imprint.models.low_side import LowSide
from imprint.results.load import own_model, trained_model
from imprint.runs import Run
from imprint.types import LowRes

LARGE, FACTOR = 128, 2
OWN, OTHERS = 16, 2  # new scenes of the tuned subject, and of each other one
COLUMNS = ("run", "shown", "test_side", "scene", *REGIONS)


class Shown(NamedTuple):
    """A picture to be enlarged, and what is true of the large one."""

    subject: str
    number: int
    truth: np.ndarray
    inside: dict[str, np.ndarray]
    low: dict[str, Image.Image]  # by low side


def new_scenes(subject: str) -> list[Scene]:
    rng = stream("superres", subject)
    return [
        Scene(named(subject), rng.choice(PLACES), pose=random_pose(rng), seed=rng.randrange(10**9)) for _ in range(OWN)
    ]


def shown(subject: str, sides: Mapping[str, LowSide]) -> list[Shown]:
    found = []
    for number, scene in enumerate(new_scenes(subject)):
        truth = np.array(draw(scene, LARGE))
        pixels = torch.from_numpy(truth).permute(2, 0, 1)[None].float() / 127.5 - 1
        low = {name: picture(side.of(pixels)[0]) for name, side in sides.items()}
        inside = {
            "whole": np.ones((LARGE, LARGE), dtype=bool),
            "subject": np.asarray(mask(scene, LARGE)) > 127,
            "engraving": np.asarray(engraving_mask(scene, LARGE)) > 127,
        }
        found.append(Shown(subject, number, truth, inside, low))
    return found


def picture(pixels_CHW: torch.Tensor) -> Image.Image:
    return Image.fromarray(((pixels_CHW + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return round(float(10 * np.log10(255**2 / (((one.astype(float) - other) ** 2).mean() + 1e-6))), 3)


def enlarged(model: Model, some: Sequence[Shown], side: str, prompt: str, level: int) -> list[dict[str, object]]:
    low = [one.low[side] for one in some]
    seeds = list(range(len(some)))
    size = {"height": LARGE, "width": LARGE}
    made = model.generate([prompt] * len(some), seeds, sampler=model.sampler, low_res=LowRes(low, level), **size)
    rows = []
    for one, small, large in zip(some, low, made, strict=True):
        pixels = np.asarray(large)
        numbers = {
            region: psnr(pixels[where], one.truth[where]) if where.any() else "" for region, where in one.inside.items()
        }
        numbers["low"] = psnr(np.asarray(large.reduce(FACTOR)), np.asarray(small))
        rows.append({"shown": one.subject, "test_side": side, "scene": one.number, **numbers})
    return rows


def of_run(point: Point, folder: str, pictures: Mapping[str, list[Shown]]) -> Iterator[dict[str, object]]:
    """Of its own subject with either low side; of others with that which it was tuned with."""
    run = Run.finished(Path(folder))
    model, concepts, _ = trained_model(run, scale={})
    prompt = concepts[0].fill("a {identifier} {noun}")
    for side in LOW_SIDES:
        yield from enlarged(model, pictures[point.subject], side, prompt, point.level)
    for other, some in pictures.items():
        if other != point.subject:
            yield from enlarged(model, some[:OTHERS], point.low_side, f"a {class_noun(other)}", point.level)


def of_untuned(folder: str, level: int, pictures: Mapping[str, list[Shown]]) -> Iterator[dict[str, object]]:
    """Of what the run in `folder` began with."""
    model = own_model(Run.finished(Path(folder)), {}).load()
    for subject, some in pictures.items():
        for side in LOW_SIDES:
            yield from enlarged(model, some, side, f"a {class_noun(subject)}", level)


def main(folder: str, out: str) -> None:
    torch.set_num_threads(1)
    runs: dict[str, str] = json.loads((Path(folder) / "runs.json").read_text())
    points = {name: point_of(name) for name in runs}
    subjects = [subject for subject in SUBJECTS if any(point.subject == subject for point in points.values())]
    sides = {side: LowSide.of_settings(low_settings(side), FACTOR) for side in LOW_SIDES}
    pictures = {subject: shown(subject, sides) for subject in subjects}
    file = Path(out) / "pictures.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = list(csv.DictReader(file.open())) if file.exists() else []
    done = {row["run"] for row in rows}
    for level in sorted({point.level for point in points.values()}):
        if (name := f"{UNTUNED}-{level}") not in done:
            rows += [{"run": name, **row} for row in of_untuned(next(iter(runs.values())), level, pictures)]
    for name, point in points.items():
        if name not in done:
            rows += [{"run": name, **row} for row in of_run(point, runs[name], pictures)]
            write(file, rows)
            print(name, flush=True)
    write(file, rows)
    (Path(out) / "gains.md").write_text(report(gains_of(list(csv.DictReader(file.open())), points)), encoding="utf-8")


def low_settings(side: str) -> dict[str, object]:
    return {"from": side, "base": BASE if side == "autoencoder" else None, "level": 0}


def point_of(name: str) -> Point:
    subject, method, level, side, seed = name.rsplit("-", 4)
    return Point(subject, method, int(level), side, int(seed))


def write(file: Path, rows: Iterable[Mapping[str, object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
