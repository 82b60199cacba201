"""A labelled data set in a folder: reading one, whoever wrote it, and writing one.

    train/metadata.jsonl  train/dog6/p03-k1.png  train/masks/dog6/p03-k1.png
    test/                 the same, of photos alone
    .rejected/            what a filter left out, with its reasons
    synthesis.json        what it was made of
    README.md             the data card

A folder without metadata.jsonl is read as folders of classes: one for each, with its pictures, perhaps inside train/
and test/.
"""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from imprint import foreign_files
from imprint.data.decoding import BadPicture, decode
from imprint.data.listing import printable
from imprint.errors import PictureError, UserError
from imprint.file_contents import read_json, refuse
from imprint.files import write_json, write_text
from imprint.foreign_files import Unreadable
from imprint.labelled.class_folders import class_folder_rows
from imprint.labelled.layout import (
    ABOUT,
    METADATA,
    NO_MASK,
    REJECTED,
    SPLITS,
    TEST,
    TRAIN,
    name_fault,
)
from imprint.labelled.pods import told_by_pods
from imprint.labelled.row import Row, decoded, encoded
from imprint.partial_files import remove_abandoned
from imprint.pictures.files import BACKGROUND, save_png
from imprint.pictures.store import is_inside

log = logging.getLogger(__name__)

VERSION = 1  # of what a row and synthesis.json mean
VERSION_KEY = "version"
METADATA_LIMIT = 1 << 30  # bytes of a split's rows, of which a million are less
MOST_FAULTS = 20  # that one message lists
REMEDY = "Mend or delete them; `imprint synthesise` with the same command draws what is missing."


@dataclass(frozen=True, kw_only=True)
class LabelledFolder:
    """What a data set says of its pictures. `rejected` are those left out; `about` is what it was made of."""

    folder: Path
    splits: Mapping[str, tuple[Row, ...]]
    rejected: tuple[Row, ...]
    about: Mapping[str, Any]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(sorted({row.subject for rows in self.splits.values() for row in rows}))

    @property
    def nouns(self) -> tuple[str, ...]:
        return tuple(sorted({row.noun for rows in self.splits.values() for row in rows}))

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Each with its split; without the rejected ones."""
        for split, rows in self.splits.items():
            yield from ((split, row) for row in rows)

    def file(self, split: str, row: Row) -> Path:
        return split_folder(self.folder, split) / row.file_name

    def mask(self, split: str, row: Row) -> Path | None:
        return split_folder(self.folder, split) / row.mask_file_name if row.mask_file_name else None

    def load(self, split: str, row: Row) -> Image.Image:
        """In RGB, upright. Raises PictureError."""
        file = self.file(split, row)
        try:
            return decode(file, BACKGROUND)
        except BadPicture as error:
            raise PictureError(f"{printable(file)}: {error}. {REMEDY}") from error

    def check_pictures(self) -> None:
        """Raises PictureError that names all which cannot be used."""
        faults = []
        for split, row in self.rows():
            for file in filter(None, (self.file(split, row), self.mask(split, row))):
                try:
                    decode(file, BACKGROUND)
                except BadPicture as error:
                    faults.append(f"{split}/{printable(file.relative_to(split_folder(self.folder, split)))}: {error}")
        _raise(self.folder, faults)


def split_folder(folder: Path, split: str) -> Path:
    """Where the files of a split lie: "" is the folder itself, where it has no splits."""
    return folder / split


def is_labelled(folder: Path) -> bool:
    """Whether a folder says itself to be a labelled data set."""
    return (folder / ABOUT).is_file() or any((folder / split / METADATA).is_file() for split in ("", *SPLITS))


def read_folder(folder: Path) -> LabelledFolder:
    """A data set of imprint's, of another program's as `datasets` reads it, or folders of classes. Raises UserError
    that lists all which is wrong with its rows; pictures are not decoded yet (`check_pictures`)."""
    if not folder.is_dir():
        raise UserError(
            f"{printable(folder)}: there is no such folder. Give a labelled data set, or folders of classes."
        )
    if not is_labelled(folder):
        splits, about = told_by_pods(folder, class_folder_rows(folder))
        return LabelledFolder(folder=folder, splits=splits, rejected=(), about=about)
    faults: list[str] = []
    splits = {
        split: tuple(_rows(folder / split, split, faults))
        for split in ("", *SPLITS)
        if (folder / split / METADATA).is_file()
    }
    rejected = tuple(_rows(folder / REJECTED, REJECTED, faults)) if (folder / REJECTED / METADATA).is_file() else ()
    _raise(folder, faults)
    return LabelledFolder(folder=folder, splits=splits, rejected=rejected, about=read_about(folder))


def read_about(folder: Path) -> dict[str, Any]:
    """What a data set was made of; empty where another program made it, or nothing is there yet."""
    file = folder / ABOUT
    remedy = "Choose another folder with out=..., or delete this file: what is drawn already is then drawn again."
    try:
        about = read_json(file, remedy)
    except FileNotFoundError:
        return {}
    if not isinstance(about, dict):
        refuse(file, "it does not say what the data set was made of", remedy)
    version = about.get(VERSION_KEY)
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        said = f"the data set has format {version!r}, and this imprint writes {VERSION}"
        refuse(file, said, "Use a newer imprint for it, or give another out=..." if newer else remedy)
    return about


def write_folder(
    folder: Path,
    *,
    splits: Mapping[str, Sequence[Row]],
    rejected: Sequence[Row],
    about: Mapping[str, Any],
) -> None:
    """Says of pictures that are there what they are: each file is replaced whole, synthesis.json last.

    The pictures are where `place` puts them. A mask column is in all splits or in none, for their types must be equal.
    """
    _check_rows(folder, {**splits, REJECTED: rejected})
    remove_abandoned(folder)
    masked = any(row.mask_file_name for rows in (*splits.values(), rejected) for row in rows)
    for split, rows in {**dict.fromkeys(SPLITS, ()), **splits, REJECTED: rejected}.items():
        base = split_folder(folder, split)
        if not rows:  # a file without a line has no types; one of before would say what is no longer so
            (base / METADATA).unlink(missing_ok=True)
            continue
        if masked and not (base / NO_MASK).is_file():
            save_png(Image.new("L", (1, 1)), base / NO_MASK)
        lines = [encoded(row, mask=NO_MASK if masked else None, rejected=split == REJECTED) for row in rows]
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        write_text(base / METADATA, text.encode("utf-8", "replace").decode())  # a prompt may hold what is no character
    write_about(folder, about)


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Written at the beginning, too: a folder in which a program was killed is then known for what it is."""
    write_json(folder / ABOUT, {VERSION_KEY: VERSION, **about})


def place(folder: Path, row: Row, *, split: str) -> None:
    """Moves a picture and its mask to train/ or .rejected/ from the other of the two: kept ones may come to be rejected
    by a stricter filter, and rejected ones kept. Once more does nothing, so a killed program can be repeated."""
    for name in filter(None, (row.file_name, row.mask_file_name)):
        target = split_folder(folder, split) / name
        if target.is_file():
            continue
        found = [split_folder(folder, other) / name for other in (TRAIN, REJECTED) if other != split]
        source = next((file for file in found if file.is_file()), None)
        if source is None:
            raise PictureError(f"{printable(target)}: there is no such file. {REMEDY}")
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def add_photo(folder: Path, photo: Image.Image, row: Row, *, split: str) -> None:
    """Writes a photo into a split, as pixels alone: where it was taken is nobody's business. Once more does nothing."""
    target = split_folder(folder, split) / row.file_name
    if not target.is_file():
        save_png(photo, target)


def _rows(base: Path, split: str, faults: list[str]) -> Iterator[Row]:
    file = base / METADATA
    shown = f"{split}/{METADATA}".lstrip("/")
    try:
        lines = foreign_files.read_text(file, limit=METADATA_LIMIT).split("\n")  # other ends of lines may be in a text
    except Unreadable as error:
        faults.append(f"{shown}: {error}")
        return
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = decoded(foreign_files.parse_json(line), no_mask=NO_MASK)
        except ValueError as error:  # Unreadable is one
            faults.append(f"{shown}, line {number}: {error}")
            continue
        found = list(_file_faults(base, row))
        if row.file_name in seen:
            found.append(f"{printable(row.file_name)} is listed twice")
        seen.add(row.file_name)
        faults += [f"{shown}, line {number}: {fault}" for fault in found]
        if not found:
            yield row


def _file_faults(base: Path, row: Row) -> Iterator[str]:
    for name in filter(None, (row.file_name, row.mask_file_name)):
        fault = name_fault(name)
        if fault is None and not is_inside(base, name):
            fault = "it leads out of its folder"
        if fault is None and not (base / name).is_file():
            fault = "there is no such file"
        if fault:
            yield f"{printable(name)}: {fault}"


def _check_rows(folder: Path, splits: Mapping[str, Iterable[Row]]) -> None:
    faults = []
    for split, rows in splits.items():
        for row in rows:
            faults += [f"{split}/{fault}" for fault in _file_faults(split_folder(folder, split), row)]
            if split == TEST and not row.is_real:
                faults.append(
                    f"{TEST}/{printable(row.file_name)}: made by {row.source}, and a test split holds photos alone"
                )
    _raise(folder, faults)


def _raise(folder: Path, faults: Sequence[str]) -> None:
    if not faults:
        return
    more = [f"... and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
    listed = "\n".join(f"  - {fault}" for fault in [*faults[:MOST_FAULTS], *more])
    raise PictureError(f"{printable(folder)}: this labelled data set cannot be used as it is:\n{listed}\n{REMEDY}")
