"""Masks of the miniature's photos come from the world that drew them, and of no others."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imprint.locations import locate
from imprint.miniature.export import export
from imprint.synthesis.drawn_world import drawn_mask

SHIPPED = locate("pkg://imprint.miniature/photos/dog6")


def test_of_every_shipped_photo() -> None:
    for file in sorted(SHIPPED.glob("*.png")):
        mask = drawn_mask(file, Image.open(file))
        assert mask is not None
        assert mask.size == (64, 64)
        assert 0.05 < (np.asarray(mask) > 127).mean() < 0.6


def test_it_is_the_one_that_an_export_writes(tmp_path: Path) -> None:
    """From a JPEG, too, which is not quite what was drawn."""
    export(tmp_path, ["dog6"], suffix=".jpg", places=[], masks=True)
    file = tmp_path / "dataset" / "dog6" / "00.jpg"
    mask = drawn_mask(file, Image.open(file))
    assert mask is not None
    assert mask.tobytes() == Image.open(file.with_suffix(".mask.png")).tobytes()


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no JSON",
        json.dumps({"file_name": "00.png"}),
        json.dumps({"file_name": "00.png", "truth": {"subject": "dog6"}}),
        "[1]",
    ],
)
def test_what_says_nothing_usable_gives_none(tmp_path: Path, said: str) -> None:
    file = Path(shutil.copy(SHIPPED / "00.png", tmp_path))
    (tmp_path / "metadata.jsonl").write_text(said)
    assert drawn_mask(file, Image.open(file)) is None


def test_another_photo_under_that_name_has_no_mask(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "metadata.jsonl", tmp_path)
    file = Path(shutil.copy(SHIPPED / "01.png", tmp_path / "00.png"))
    assert drawn_mask(file, Image.open(file)) is None


def test_a_pose_beyond_all_bounds_is_not_drawn(tmp_path: Path) -> None:
    row = json.loads((SHIPPED / "metadata.jsonl").read_text().splitlines()[0])
    row["truth"]["pose"]["scale"] = 1e9
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    file = Path(shutil.copy(SHIPPED / "00.png", tmp_path))
    assert drawn_mask(file, Image.open(file)) is None
