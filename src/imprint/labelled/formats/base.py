"""What every format of a labelled data set offers, and what they share."""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar, NamedTuple

from PIL import Image

from imprint.data.decoding import decode_mask, read
from imprint.labelled.folder import LabelledFolder
from imprint.labelled.layout import TRAIN, mask_name, subject_folder
from imprint.labelled.row import Row
from imprint.pictures.files import png_bytes

EXPORTED = ".exported"  # a file that says that a folder was written by `imprint export`, and may be written anew


class DataFormat(ABC):
    """What a `data_format` configuration constructs."""

    is_in_place: ClassVar[bool] = False  # whether it adds a file to the data set

    def problems(self, data: LabelledFolder) -> Iterator[str]:
        """Why this data set cannot be written so, before anything is."""
        return iter(())

    def place(self, folder: Path, name: str) -> Path:
        """Where it is written unless the user says otherwise: beside the data set, of which it would else seem a
        part."""
        return folder.with_name(f"{folder.name}-{name}")

    @abstractmethod
    def write(self, data: LabelledFolder, out: Path) -> None:
        """All of it or nothing. The pictures can be read."""


class Item(NamedTuple):
    """A picture on its way into a format: its row there, with the names that it has there, and its files' bytes."""

    row: Row
    picture: bytes
    mask: bytes | None

    @property
    def key(self) -> str:
        """Its name without its ending."""
        return self.row.file_name.removesuffix(".png")


def is_free(out: Path) -> bool:
    """Whether a format may be written there: nothing is, or what was written so before."""
    if not out.exists():
        return True
    if not out.is_dir():
        return False
    return not any(out.iterdir()) or (out / EXPORTED).is_file()


def splits_of(data: LabelledFolder) -> Mapping[str, Sequence[Row]]:
    """By their names elsewhere: what has no splits is to train on."""
    return {split or TRAIN: rows for split, rows in data.splits.items()}


def items(data: LabelledFolder, split: str, numbers: Sequence[int] | None = None) -> Iterator[Item]:
    """Of a split as `splits_of` calls it: all, or those of these numbers, in this order. One at a time is read."""
    own = split if split in data.splits else ""
    rows = data.splits[own]
    names = list(_names(rows))
    for number in range(len(rows)) if numbers is None else numbers:
        row, name = rows[number], names[number]
        mask = data.mask(own, row)
        named = row.renamed(name, mask_name(name) if mask else "")
        yield Item(named, _picture(data, own, row), _mask(mask) if mask else None)


def label_names(data: LabelledFolder) -> list[str]:
    return sorted({label for _, row in data.rows() for label in row.labels})


def main_label(row: Row) -> str:
    """The one with the largest share; of equal ones the first by its name."""
    return min(row.labels, key=lambda label: (-row.labels[label], label))


def _picture(data: LabelledFolder, split: str, row: Row) -> bytes:
    """A PNG. Drawn pictures stay byte by byte what they are, with their marks. Photos are their pixels alone: their
    files may say where they were taken, and who is shown."""
    if row.is_real:
        return png_bytes(data.load(split, row))
    return read(data.file(split, row))


def _mask(file: Path) -> bytes:
    out = io.BytesIO()
    mask = decode_mask(read(file))
    Image.frombytes("L", mask.size, mask.tobytes()).save(out, format="PNG")
    return out.getvalue()


def _names(rows: Sequence[Row]) -> Iterator[str]:
    """Names that any archive and program takes, all different: without dots but for the ending."""
    taken: set[str] = set()
    for row in rows:
        path = PurePosixPath(row.file_name)
        stem = "/".join(subject_folder(part) for part in path.with_suffix("").parts)
        name, number = f"{stem}.png", 2
        while name in taken:
            name, number = f"{stem}-{number}.png", number + 1
        taken.add(name)
        yield name
