"""Data sets without metadata: a folder for each class, perhaps inside folders of splits."""

from collections.abc import Iterator
from pathlib import Path

from imprint.data.listing import MASK, SUFFIXES, natural_key, printable
from imprint.errors import UserError
from imprint.labelled.layout import MASKS, SPLITS
from imprint.labelled.row import REAL, Row, hard


def class_folder_rows(folder: Path) -> dict[str, tuple[Row, ...]]:
    """By split; "" where there is none. A class is called as its folder. Raises UserError where there is no class."""
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
        for file in sorted(each.iterdir(), key=lambda file: natural_key(file.name)):
            if _is_picture(file):
                mask = next((mask for mask in _masks(file) if mask.is_file()), None)
                yield Row(
                    file_name=file.relative_to(base).as_posix(),
                    mask_file_name=mask.relative_to(base).as_posix() if mask else "",
                    subject=each.name,
                    noun=each.name,
                    labels=hard(each.name),
                    source=REAL,
                    label_quality="estimated" if mask else "",  # nothing says how they were made
                )


def _folders(base: Path) -> list[Path]:
    if not base.is_dir():
        return []
    inside = [path for path in base.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != MASKS]
    return sorted(inside, key=lambda path: natural_key(path.name))


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
