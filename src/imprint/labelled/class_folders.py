"""Data sets without metadata: a folder for each class, perhaps inside folders of splits."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imprint.data.estimated_masks import estimator_of
from imprint.data.listing import MASK, SUFFIXES, natural_key, printable
from imprint.errors import UserError
from imprint.foreign_files import Unreadable, parse_json, read_text
from imprint.labelled.layout import MASKS, METADATA, SPLITS
from imprint.labelled.row import REAL, Row, hard

LONGEST = 500  # characters of a name


def class_folder_rows(folder: Path) -> dict[str, tuple[Row, ...]]:
    """By split; "" where there is none. A class is called as its folder. Raises UserError where there is no class.

    A metadata.jsonl inside of such a folder, as `imagefolder` has it, may say of each picture what class the folder's
    subject is of (`class`), and what a photo to test on has that training has not (`shift`)."""
    splits = [split for split in SPLITS if _folders(folder / split)] or [""]
    found = {split: tuple(_rows(folder / split)) for split in splits}
    if not any(found.values()):
        raise UserError(
            f"{printable(folder)}: {_instead(folder)} Put the pictures of each class into a folder of its own, called "
            "as the class; or give a folder that `imprint synthesise` made."
        )
    return found


def _rows(base: Path) -> Iterator[Row]:
    for each in _folders(base):
        told = _told(each)
        for file in sorted(each.iterdir(), key=lambda file: natural_key(file.name)):
            if _is_picture(file):
                mask = next((mask for mask in _masks(file) if mask.is_file()), None)
                yield Row(
                    file_name=file.relative_to(base).as_posix(),
                    mask_file_name=mask.relative_to(base).as_posix() if mask else "",
                    subject=each.name,
                    noun=_name(told, file, "class") or each.name,
                    labels=hard(each.name),
                    source=REAL,
                    label_quality="estimated" if mask else "",  # nothing says how they were made
                    estimator=estimator_of(mask) if mask else "",
                    shift=_name(told, file, "shift"),
                )


def _folders(base: Path) -> list[Path]:
    if not base.is_dir():
        return []
    inside = [path for path in base.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != MASKS]
    return sorted(inside, key=lambda path: natural_key(path.name))


def _told(folder: Path) -> dict[str, dict[str, Any]]:
    """What is said beside pictures, by their names; nothing where it cannot be read."""
    file = folder / METADATA
    try:
        lines = read_text(file).split("\n") if file.is_file() else []
        rows = [parse_json(line) for line in lines if line.strip()]
    except Unreadable:
        return {}
    return {str(row.get("file_name")): row for row in rows if isinstance(row, dict)}


def _name(told: dict[str, dict[str, Any]], file: Path, key: str) -> str:
    said = told.get(file.name, {}).get(key)
    return said if isinstance(said, str) and len(said) <= LONGEST else ""


def _is_picture(file: Path) -> bool:
    visible = not file.name.startswith(".") and file.suffix.lower() in SUFFIXES
    return visible and not file.stem.endswith(MASK) and not file.is_dir()


def _masks(file: Path) -> tuple[Path, Path]:
    """Where a picture's mask may lie, as beside photos to train on."""
    return file.with_name(f"{file.stem}{MASK}.png"), file.parent / MASKS / f"{file.stem}.png"


def _instead(folder: Path) -> str:
    if any(_is_picture(file) for file in folder.iterdir()):
        return "it holds pictures and no folders of classes."
    return "it holds no folders with pictures."
