"""A sheet of new pictures of some subjects, enlarged by the untuned upscaler and by those that were tuned on them.

python experiments/superres/show.py outputs/superres experiments/superres/results/sheet.jpg

Level 0, from means of the photo's pixels; what is cut out is around the engraving.
"""

import json
import sys
from pathlib import Path

import torch
from measure import FACTOR, LARGE, Shown, low_settings, shown
from PIL import Image
from points import METHODS, Point
from tables import UNTUNED

from imprint.miniature.subjects import class_noun
from imprint.models.base import Model
from imprint.models.low_side import LowSide
from imprint.reporting.upscaling_sheet import Box, Enlarged, sheet_of
from imprint.results.load import own_model, trained_model
from imprint.runs import Run
from imprint.types import LowRes

SHOWN = ("dog6", "cat2", "backpack", "teapot")
SIDE = "photo"
MARGIN = 6  # pixels around an engraving


def main(folder: str, file: str) -> None:
    torch.set_num_threads(1)
    runs: dict[str, str] = json.loads((Path(folder) / "runs.json").read_text())
    sides = {SIDE: LowSide.of_settings(low_settings(SIDE), FACTOR)}
    sheet_of([row(subject, runs, sides) for subject in SHOWN]).save(file, quality=80)


def row(subject: str, runs: dict[str, str], sides: dict[str, LowSide]) -> Enlarged:
    """Of the picture that shows most of the engraving."""
    picture = max(shown(subject, sides), key=lambda one: int(one.inside["engraving"].sum()))
    folders = {method: Path(runs[Point(subject, method, 0, SIDE, 0).name]) for method in METHODS}
    untuned = own_model(Run.finished(next(iter(folders.values()))), {}).load()
    large = {UNTUNED: enlarged(untuned, picture, f"a {class_noun(subject)}")}
    for method, run in folders.items():
        model, concepts, _ = trained_model(Run.finished(run), scale={})
        large[method] = enlarged(model, picture, concepts[0].fill("a {identifier} {noun}"))
    return Enlarged(picture.low[SIDE], large, Image.fromarray(picture.truth), around(picture))


def enlarged(model: Model, picture: Shown, prompt: str) -> Image.Image:
    low_res = LowRes([picture.low[SIDE]], 0)
    [large] = model.generate([prompt], [0], sampler=model.sampler, low_res=low_res, height=LARGE, width=LARGE)
    return large


def around(picture: Shown) -> Box:
    """A square around the engraving."""
    left, top, right, bottom = Image.fromarray(picture.inside["engraving"]).getbbox() or (0, 0, LARGE, LARGE)
    side = min(LARGE, max(right - left, bottom - top) + 2 * MARGIN)
    left = min(max(0, (left + right - side) // 2), LARGE - side)
    top = min(max(0, (top + bottom - side) // 2), LARGE - side)
    return left, top, left + side, top + side


if __name__ == "__main__":
    main(*sys.argv[1:])
