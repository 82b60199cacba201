"""The photos that an upscaler enlarges to be scored, and the sheet that shows what became of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from imprint.evaluation.measuring import Shots
from imprint.evaluation.metrics.pixels import HALF
from imprint.evaluation.pairs import OTHERS, truth_of, view_of
from imprint.evaluation.profile import SUBJECT
from imprint.evaluation.records import Photo, Shot
from imprint.evaluation.score_sheet import Row
from imprint.models.base import Model
from imprint.models.low_side import LowSide
from imprint.pictures.files import save_png
from imprint.pictures.generate import Enlarged, Generate
from imprint.pictures.store import Recipe
from imprint.reporting.upscaling_sheet import Box, interpolated, sheet_of
from imprint.reporting.upscaling_sheet import Enlarged as Shown
from imprint.scoring.subject import EvaluationSubject
from imprint.training.low_views import as_picture
from imprint.types import LowRes

ROWS: Mapping[Row, str] = {"prompt_only": "untuned", "tuned": "tuned"}  # on the sheet, beside what is interpolated


def low_res_of(subject: EvaluationSubject, model: Model) -> Enlarged | None:
    """What the model enlarges for a picture that is asked for; None, where it draws from prompts alone."""
    side = model.low_side
    if side is None:
        return None

    def low_res(recipes: Sequence[Recipe]) -> LowRes:
        return LowRes([_low_of(recipe, side, subject) for recipe in recipes], None)

    return low_res


def interpolating(subject: EvaluationSubject, side: LowSide) -> Generate:
    """Enlarges by bicubic interpolation what an upscaler would be given."""

    def generate(recipes: Sequence[Recipe]) -> list[Image.Image]:
        return [interpolated(_low_of(recipe, side, subject), recipe.size[::-1]) for recipe in recipes]

    return generate


def meaning_of_pairs(subject: EvaluationSubject) -> dict[str, object]:
    """What numbers of an upscaler mean, whoever the subject is."""
    side = subject.source.model.low_side()
    if side is None:
        return {}
    unseen = any(not photo.trained_on for photo in subject.photos)
    return {"low_res": side.identity(), "photos": "held out" if unseen else "trained on"}


def identity_of_pairs(subject: EvaluationSubject, name: str) -> dict[str, object]:
    """What an upscaler's pictures of a set depend on beside the model and the prompts."""
    side = subject.source.model.low_side()
    if side is None:
        return {}
    return {"low_res": side.identity(), "photos": [photo.content for photo in _photos(subject, name)]}


def write_pairs(subject: EvaluationSubject, shots: Mapping[Row, Shots], file: Path) -> None:
    """Low, interpolated, by the untuned upscaler and by the tuned one, and the truth."""
    side = subject.source.model.low_side()
    assert side is not None
    by_k: dict[int, dict[str, Shot]] = {}
    for row, name in ROWS.items():
        for shot in shots.get(row, {}).get(SUBJECT, ()):
            if shot.state == "ok":
                by_k.setdefault(shot.request.k, {})[name] = shot
    with side.needed():
        rows = [_row(side, truth_of(k, subject.photos), made) for k, made in sorted(by_k.items())]
    if rows:
        save_png(sheet_of(rows), file)


def _row(side: LowSide, photo: Photo, made: Mapping[str, Shot]) -> Shown:
    large = {name: shot.load() for name, shot in made.items()}
    width, height = next(iter(large.values())).size
    truth, mask = view_of(photo.load(), (height, width)), photo.mask()
    box = None if mask is None else _box(view_of(mask, (height, width)))
    return Shown(_low(side, truth), large, truth, box)


def _box(mask: Image.Image) -> Box | None:
    return mask.point(lambda level: 255 * (level > HALF)).getbbox()


def _photos(subject: EvaluationSubject, name: str) -> Sequence[Photo]:
    """Those that are enlarged for the pictures of a set."""
    return subject.others if name == OTHERS else subject.photos


def _low_of(recipe: Recipe, side: LowSide, subject: EvaluationSubject) -> Image.Image:
    photo = truth_of(recipe.facts["k"], _photos(subject, recipe.facts["set"]))
    return _low(side, view_of(photo.load(), recipe.size))


def _low(side: LowSide, view: Image.Image) -> Image.Image:
    pixels_HWC = torch.from_numpy(np.asarray(view.convert("RGB"), dtype=np.float32)) / 127.5 - 1
    return as_picture(side.of(pixels_HWC.permute(2, 0, 1)[None])[0])
