"""format=webdataset: shards of pictures for the webdataset library, as tar files that are read from end to end."""

import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import PositiveInt

from imprint.files import folder_atomically, write_json, write_text
from imprint.kinds import of_kind
from imprint.labelled.card import card
from imprint.labelled.folder import LabelledFolder
from imprint.labelled.formats.base import EXPORTED, DataFormat, Item, items, label_names, main_label, splits_of
from imprint.labelled.layout import CARD
from imprint.labelled.row import encoded
from imprint.rng import permutation

LABELS = "labels.json"  # what the numbers in .cls mean


@of_kind("data_format/webdataset")
class WebDataset(DataFormat):
    """`train-000000.tar` and so on, with `KEY.png .json .cls .mask.png` of each picture. In an order by chance, always
    the same: who reads a shard from its beginning meets all classes.

    pictures    how many a shard has at most
    """

    def __init__(self, *, pictures: PositiveInt) -> None:
        self.pictures = pictures

    def write(self, data: LabelledFolder, out: Path) -> None:
        names = label_names(data)
        with folder_atomically(out) as folder:
            folder.mkdir(exist_ok=True)
            for split, rows in splits_of(data).items():
                order = permutation(len(rows), "shards", split)
                for number, first in enumerate(range(0, len(rows), self.pictures)):
                    shard = items(data, split, order[first : first + self.pictures])
                    _write_shard(folder / f"{split}-{number:06d}.tar", shard, names)
            write_json(folder / LABELS, names)
            write_text(folder / CARD, card(data, name=out.name))
            write_text(folder / EXPORTED, "")


def _write_shard(file: Path, shard: Iterable[Item], names: Sequence[str]) -> None:
    with tarfile.open(file, "w") as tar:
        for item in shard:
            row = encoded(item.row, mask=None, rejected=False)
            parts = {
                "png": item.picture,
                "json": json.dumps(row, ensure_ascii=False).encode(),
                "cls": str(names.index(main_label(item.row))).encode(),
                "mask.png": item.mask,
            }
            for ending, content in parts.items():
                if content is not None:
                    entry = tarfile.TarInfo(f"{item.key}.{ending}")  # without an owner or a time
                    entry.size = len(content)
                    tar.addfile(entry, io.BytesIO(content))
