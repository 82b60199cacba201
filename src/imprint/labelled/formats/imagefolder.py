"""format=imagefolder: a folder as `datasets` reads it, with card and Croissant: a copy of the data set as it is
kept."""

from pathlib import Path

from imprint.files import folder_atomically, write_text
from imprint.kinds import of_kind
from imprint.labelled.card import card
from imprint.labelled.folder import LabelledFolder, read_folder, write_folder
from imprint.labelled.formats.base import EXPORTED, DataFormat, items, splits_of
from imprint.labelled.formats.croissant import write_croissant
from imprint.labelled.layout import CARD
from imprint.labelled.row import Row


@of_kind("data_format/imagefolder")
class ImageFolder(DataFormat):
    """Of any data set, also of folders of classes, and without what was rejected."""

    def write(self, data: LabelledFolder, out: Path) -> None:
        with folder_atomically(out) as folder:
            splits: dict[str, list[Row]] = {}
            for split in splits_of(data):
                splits[split] = []
                for row, picture, mask in items(data, split):
                    _write(folder / split / row.file_name, picture)
                    if mask is not None:
                        _write(folder / split / row.mask_file_name, mask)
                    splits[split].append(row)
            write_folder(folder, splits=splits, rejected=(), about=data.about)
            describe(read_folder(folder), name=out.name)
            write_text(folder / EXPORTED, "")


def describe(data: LabelledFolder, *, name: str) -> None:
    """Writes the data card and Croissant's description into a data set that is complete."""
    write_text(data.folder / CARD, card(data, name=name))
    write_croissant(data, name=name)


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
