"""imprint masks: estimated masks beside photos that have none."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from omegaconf import DictConfig

from imprint.data.decoding import BadPicture, decode
from imprint.data.estimated_masks import save_estimated
from imprint.data.listing import MASK, list_pictures, printable
from imprint.errors import ConfigError, PictureError, Problem, UserError
from imprint.labelled.class_folders import class_folder_rows
from imprint.labelled.folder import is_labelled
from imprint.labelled.layout import MASKS
from imprint.locations import locate
from imprint.masks.base import Estimator
from imprint.pictures.files import BACKGROUND
from imprint.requests import read_request
from imprint.training.trainer import available_device

log = logging.getLogger(__name__)

SHOWN = 8  # names in a message


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `masks.yaml` asks for."""

    photos: str
    masks: Estimator
    noun: str | None
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    dry_run: bool


class Photo(NamedTuple):
    file: Path
    noun: str
    is_masked: bool

    @property
    def mask(self) -> Path:
        return self.file.with_name(f"{self.file.stem}{MASK}.png")


def main(cfg: DictConfig) -> None:
    masks(cfg)


def masks(cfg: DictConfig) -> list[Path]:
    """The files that were written. Raises ConfigError with all that is wrong before anything is."""
    request = read_request(Request, cfg)
    folder, estimator = locate(request.photos), request.masks
    photos = _photos(folder, request)
    estimator.check("masks")
    left = [photo for photo in photos if not photo.is_masked]
    log.info(
        "%s: %d photos, %d of them without a mask, which %s finds.",
        folder,
        len(photos),
        len(left),
        estimator.name,
    )
    if request.dry_run:
        return []
    _check(left)
    estimator.to(available_device(request.accelerator))
    written, nothing = [], []
    for photo in left:
        [mask] = estimator.masks([decode(photo.file, BACKGROUND)], [photo.noun])
        if mask is None:
            nothing.append(printable(photo.file.relative_to(folder)))
        else:
            save_estimated(mask, photo.mask, by=estimator.said)
            written.append(photo.mask)
    log.info("Wrote %d masks. They say themselves that they are estimated, and by what.", len(written))
    if nothing:
        more = f" and {len(nothing) - SHOWN} more" if len(nothing) > SHOWN else ""
        log.warning(
            "Nothing was found, or all of it, in %s%s: draw these masks by hand, or take another estimator.",
            ", ".join(nothing[:SHOWN]),
            more,
        )
    return written


def _photos(folder: Path, request: Request) -> list[Photo]:
    """Raises UserError where there are none, or nobody says what they show."""
    if folder.is_dir() and is_labelled(folder):
        remedy = "this is a labelled data set, whose masks are made with it: imprint synthesise ... masks=..."
        raise ConfigError([Problem("photos", printable(request.photos), remedy)])
    try:
        files = list_pictures(folder, key="photos")
    except ConfigError as error:
        if not folder.is_dir():
            raise
        try:
            return list(_of_classes(folder, request.noun))
        except UserError:
            raise error from None
    if request.noun is None and request.masks.reads_nouns:
        remedy = f"masks={request.masks.name} looks for what it is told. Say what the photos show: noun=dog."
        raise ConfigError([Problem("noun", None, remedy)])
    noun = request.noun or ""
    return [Photo(file, noun, _is_masked(file)) for file in files]


def _of_classes(folder: Path, noun: str | None) -> Iterator[Photo]:
    for split, rows in class_folder_rows(folder).items():
        for row in rows:
            file = folder / split / row.file_name
            yield Photo(file, noun or row.noun, _is_masked(file))


def _is_masked(file: Path) -> bool:
    """In any format: a mask that somebody drew is not replaced."""
    beside = file.parent.glob(f"{_escaped(file.stem)}{MASK}.*")
    inside = (file.parent / MASKS).glob(f"{_escaped(file.stem)}.*")
    return any(each.is_file() for each in (*beside, *inside))


def _escaped(stem: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in stem)


def _check(photos: Sequence[Photo]) -> None:
    faults = []
    for photo in photos:
        try:
            decode(photo.file, BACKGROUND)
        except BadPicture as error:
            faults.append(f"  - {printable(photo.file.name)}: {error}")
    if faults:
        listed = "\n".join(faults[:SHOWN])
        raise PictureError(f"photos: these cannot be read:\n{listed}\nMend or remove them.")
