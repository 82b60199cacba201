"""format=coco: pictures with boxes and masks, as COCO's tools read them."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from imprint.files import folder_atomically, write_json, write_text
from imprint.kinds import of_kind
from imprint.labelled.card import card
from imprint.labelled.folder import LabelledFolder
from imprint.labelled.formats.base import EXPORTED, DataFormat, Item, items, label_names, main_label, splits_of
from imprint.labelled.layout import CARD
from imprint.labelled.row import Box, Row, encoded

EXTRA = 'the extra `formats` (pip install "imprint-diffusion[formats]")'
ANNOTATIONS = "annotations"
INSIDE = 128  # from which level on a pixel of a mask is the subject's


@of_kind("data_format/coco")
class Coco(DataFormat):
    """`annotations/train.json` and the pictures in `train/`. A row's boxes are its annotations; a mask belongs to the
    box of a picture that has one, or gives it. Soft labels are `labels` of the image.

    quality   construction, boxes and masks that are exact; estimated, those that an algorithm found; all, both; null:
    all,
              if they are of one kind
    """

    def __init__(self, *, quality: Literal["construction", "estimated", "all"] | None) -> None:
        self.quality = quality

    def problems(self, data: LabelledFolder) -> Iterator[str]:
        try:
            import pycocotools.mask  # noqa: F401
        except ImportError:
            yield f"format=coco needs {EXTRA}."
        kinds = Counter(row.label_quality for _, row in data.rows() if _is_annotated(row))
        if self.quality is None and len(kinds) > 1:
            said = " and ".join(f"{count} {kind or 'of unknown quality'}" for kind, count in sorted(kinds.items()))
            yield (
                f"formats.coco.quality=null: boxes and masks are of several kinds ({said}), and a detector that is "
                "measured by estimated ones is measured against another's mistakes. Give "
                "formats.coco.quality=construction, or all: each annotation says of which kind it is."
            )

    def write(self, data: LabelledFolder, out: Path) -> None:
        names = label_names(data) + sorted(
            {box.label for _, row in data.rows() for box in row.objects} - set(label_names(data))
        )
        with folder_atomically(out) as folder:
            for split in splits_of(data):
                images: list[dict[str, Any]] = []
                annotations: list[dict[str, Any]] = []
                for number, item in enumerate(items(data, split), start=1):
                    file = folder / split / item.row.file_name
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(item.picture)
                    images.append(_image(number, item))
                    for annotation in self._annotations(item, names):
                        annotations.append({"id": len(annotations) + 1, "image_id": number, **annotation})
                content = {
                    "info": {"description": f"{out.name}, {split}"},
                    "images": images,
                    "annotations": annotations,
                    "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
                }
                write_json(folder / ANNOTATIONS / f"{split}.json", content)
            write_text(folder / CARD, card(data, name=out.name))
            write_text(folder / EXPORTED, "")

    def _annotations(self, item: Item, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        row = item.row
        if not _is_annotated(row) or (
            self.quality in ("construction", "estimated") and row.label_quality != self.quality
        ):
            return
        inside_HW = _inside(item.mask) if item.mask is not None else None
        if not row.objects and (inside_HW is None or not inside_HW.any()):
            return
        boxes = row.objects or [_around(inside_HW, main_label(row))]
        for box in boxes:
            left, top, width, height = (round(float(side), 3) for side in box.box)
            outline = _run_lengths(inside_HW) if inside_HW is not None and len(boxes) == 1 else {}
            yield {
                "category_id": names.index(box.label) + 1,
                "bbox": [left, top, width, height],
                "area": float(inside_HW.sum()) if outline and inside_HW is not None else width * height,
                "iscrowd": 0,
                "label_quality": row.label_quality,
                **outline,
            }


def _is_annotated(row: Row) -> bool:
    return bool(row.objects or row.mask_file_name)


def _image(number: int, item: Item) -> dict[str, Any]:
    with Image.open(io.BytesIO(item.picture)) as picture:
        width, height = picture.size
    row = encoded(item.row, mask=None, rejected=False)
    del row["objects"]  # which are the annotations
    return {"id": number, "width": width, "height": height, **row}


def _inside(mask: bytes) -> np.ndarray[Any, np.dtype[np.bool_]]:
    with Image.open(io.BytesIO(mask)) as picture:
        return np.asarray(picture) >= INSIDE


def _around(inside_HW: Any, label: str) -> Box:
    rows, columns = np.flatnonzero(inside_HW.any(axis=1)), np.flatnonzero(inside_HW.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return Box(label=label, box=(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top))


def _run_lengths(inside_HW: Any) -> Mapping[str, Any]:
    from pycocotools import mask

    coded = mask.encode(np.asfortranarray(inside_HW, dtype=np.uint8))
    size = [int(side) for side in coded["size"]]
    return {"segmentation": {"size": size, "counts": coded["counts"].decode("ascii")}}
