"""Boxes and masks as COCO's own tools read them."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from labelled_sets import drawn, photo, write_set

from imprint.labelled.folder import LabelledFolder, read_folder
from imprint.labelled.formats.coco import Coco

pytest.importorskip("pycocotools", reason="the extra formats is not installed")

ESTIMATED = {"label_quality": "estimated"}


def data(folder: Path, *, mixed: bool = False) -> LabelledFolder:
    rows = [drawn(masked=True), drawn(k=1, masked=True, objects=()), drawn(k=2)]
    rows += [drawn("cat2", masked=True, **ESTIMATED)] if mixed else []
    return read_folder(write_set(folder, {"train": rows, "test": [photo()]}))


def test_cocos_own_reader_gets_boxes_and_masks_back(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    Coco(quality=None).write(data(tmp_path / "set"), tmp_path / "out")
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "out" / "annotations" / "train.json"))
    assert len(coco.getImgIds()) == 3
    annotations = coco.loadAnns(coco.getAnnIds())
    assert len(annotations) == 2  # of the picture without a mask there is none
    wanted = np.zeros((16, 16), dtype=np.uint8)
    wanted[4:12, 4:12] = 1
    for annotation in annotations:
        assert annotation["bbox"] == [4, 4, 8, 8]  # given, or found by the mask
        assert annotation["area"] == 64
        assert annotation["label_quality"] == "construction"
        assert np.array_equal(coco.annToMask(annotation), wanted)
        assert coco.loadCats(annotation["category_id"])[0]["name"] == "dog6"


def test_exact_and_estimated_ones_are_not_mixed_unsaid(tmp_path: Path) -> None:
    mixed = data(tmp_path / "set", mixed=True)
    said = list(Coco(quality=None).problems(mixed))
    assert len(said) == 1
    assert "2 construction and 1 estimated" in said[0]
    assert not list(Coco(quality=None).problems(data(tmp_path / "pure")))
    for quality, count in (("construction", 2), ("estimated", 1), ("all", 3)):
        format = Coco(quality=quality)
        assert not list(format.problems(mixed))
        format.write(mixed, tmp_path / quality)
        content = json.loads((tmp_path / quality / "annotations" / "train.json").read_text())
        assert len(content["annotations"]) == count
        kinds = {annotation["label_quality"] for annotation in content["annotations"]}
        assert kinds == ({"construction", "estimated"} if quality == "all" else {quality})
        assert len(content["images"]) == 4
