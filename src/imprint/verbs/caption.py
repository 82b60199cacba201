"""imprint caption: texts beside pictures, written by a model."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from omegaconf import DictConfig
from PIL import Image
from pydantic import PositiveInt

from imprint.captioning.base import Captioner
from imprint.data.captions import in_one_line, read_captions
from imprint.data.decoding import BadPicture, decode
from imprint.data.listing import list_pictures, printable
from imprint.errors import ConfigError, PictureError, Problem
from imprint.files import write_text
from imprint.locations import locate
from imprint.requests import read_request
from imprint.templates import PLACEHOLDERS, template_fault
from imprint.training.trainer import process_device

log = logging.getLogger(__name__)
CAPTION = "caption"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `caption.yaml` asks for."""

    captioner: Captioner
    folder: str
    template: str
    identifier: str | None
    noun: str | None
    batch_size: PositiveInt
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    dry_run: bool


def main(cfg: DictConfig) -> None:
    request = read_request(Request, cfg)
    written = caption(request)
    if not request.dry_run:
        log.info("Wrote %d captions. Read them: imprint preview shows each beside its picture.", len(written))


def caption(request: Request) -> list[Path]:
    """The files that were written. Raises ConfigError and PictureError before anything is."""
    if problems := _problems(request):
        raise ConfigError(problems)
    folder = locate(request.folder)
    files = list_pictures(folder, key="folder")
    missing = _without_captions(folder, files)
    log.info("%d of %d pictures have no caption.", len(missing), len(files))
    if request.dry_run or not missing:
        return []
    request.captioner.check("captioner")
    _check_pictures(missing)
    log.info("Loading what writes captions ...")
    request.captioner.to(process_device(request.accelerator))
    written: list[Path] = []
    remaining = iter(missing)
    while batch := list(islice(remaining, request.batch_size)):
        for file, text in zip(batch, request.captioner.captions([_picture(file) for file in batch]), strict=True):
            written += _write(file, text, request)
    return written


def _problems(request: Request) -> list[Problem]:
    if fault := template_fault(request.template, known=(*PLACEHOLDERS, CAPTION)):
        return [Problem("template", request.template, fault)]
    if f"{{{CAPTION}}}" not in request.template:
        return [Problem("template", request.template, f"it has no place for the model's words. Write {{{CAPTION}}}.")]
    asked = [name for name in PLACEHOLDERS if f"{{{name}}}" in request.template and not getattr(request, name)]
    return [Problem(name, None, f"the template names it. Give {name}=...") for name in asked]


def _without_captions(folder: Path, files: Sequence[Path]) -> list[Path]:
    """In whichever form captions are there. Raises PictureError where two pictures would share a file."""
    own = read_captions(folder, [file.name for file in files])
    if own.problems:
        told = "".join(f"\n  - {problem}" for problem in own.problems)
        raise PictureError(f"folder={printable(folder)}: its captions cannot all be read. Mend or remove them.{told}")
    missing = [file for file in files if file.name not in own.by_name]
    stems = [file.stem for file in files]
    if shared := sorted({file.name for file in missing if stems.count(file.stem) > 1}):
        names = ", ".join(map(printable, shared))
        raise PictureError(f"{names}: several would have the same .txt beside them. Rename them.")
    return missing


def _check_pictures(files: Sequence[Path]) -> None:
    told = []
    for file in files:
        try:
            _picture(file)
        except BadPicture as error:
            told.append(f"\n  - {printable(file.name)}: {error}")
    if told:
        raise PictureError(f"{len(told)} pictures cannot be read; mend or remove them.{''.join(told)}")


def _picture(file: Path) -> Image.Image:
    return decode(file, "white")


def _write(picture: Path, text: str, request: Request) -> list[Path]:
    """The file; none where the model said nothing, or somebody wrote one meanwhile."""
    file = picture.with_suffix(".txt")
    try:
        said = in_one_line(text)
    except ValueError as error:
        log.warning("%s: %s, so none was written.", printable(picture.name), error)
        return []
    if file.exists() or file.is_symlink():
        log.warning("%s is there by now, and stays as it is.", printable(file.name))
        return []
    words = {"identifier": request.identifier, "noun": request.noun, CAPTION: said}
    whole = request.template.format(**words)
    write_text(file, whole + "\n")
    log.info("%s: %s", printable(picture.name), whole)
    return [file]
