"""Masks of the miniature's photos, from the world that drew them."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from imprint.foreign_files import Unreadable, parse_json, read_text
from imprint.miniature.renderer import draw, mask
from imprint.miniature.scene import Scene

METADATA = "metadata.jsonl"  # beside the photos, where what they show is told under this key
TRUTH = "truth"
NEAR = 8.0  # levels of 255, on average: a JPEG of the picture differs by less, another picture by far more
LARGEST = 2.0  # of the numbers of a pose, which are shares of a side, but for the angle

SCENE = TypeAdapter(Scene)


def drawn_mask(file: Path, photo: Image.Image) -> Image.Image | None:
    """The subject's mask, if the miniature drew this photo: if what is said beside it, drawn again, is this photo."""
    truth = _truth(file)
    if truth is None:
        return None
    try:
        scene = SCENE.validate_python(truth)
    except ValidationError:
        return None
    pose = scene.pose
    if max(map(abs, (pose.x, pose.y, pose.scale))) > LARGEST:
        return None
    drawn = draw(scene)
    if drawn.size != photo.size or _distance(drawn, photo) > NEAR:
        return None
    return mask(scene)


def _truth(file: Path) -> Any:
    try:
        lines = read_text(file.parent / METADATA).split("\n")
        rows = [parse_json(line) for line in lines if line.strip()]
    except Unreadable:
        return None
    found = (row for row in rows if isinstance(row, dict) and row.get("file_name") == file.name)
    return next((row.get(TRUTH) for row in found), None)


def _distance(some: Image.Image, other: Image.Image) -> float:
    a, b = (np.asarray(picture.convert("RGB"), dtype=np.float32) for picture in (some, other))
    return float(np.abs(a - b).mean())
