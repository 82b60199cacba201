"""What PODS's files say of folders of classes: what the objects are, where masks lie, how photos to test on differ."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from imprint.data.listing import SUFFIXES
from imprint.data.pods import Pods, mask_folder, pods_in
from imprint.labelled.row import Row

GROUPS = "groups"  # in what a data set says of itself: subjects by the name of their group


def told_by_pods(
    folder: Path, splits: Mapping[str, tuple[Row, ...]]
) -> tuple[Mapping[str, tuple[Row, ...]], dict[str, Any]]:
    """The rows with what is said of them, and what is said of the data set; as they are where there are no such files.
    Raises UserError."""
    pods = pods_in(folder)
    if pods is None:
        return splits, {}
    told = {split: tuple(_told(row, folder / split, pods) for row in rows) for split, rows in splits.items()}
    return told, {GROUPS: {name: pods.of_group(name) for name in sorted(set(pods.groups.values()))}}


def _told(row: Row, base: Path, pods: Pods) -> Row:
    file = base / row.file_name
    mask = None if row.mask_file_name else _mask(file)
    return replace(
        row,
        noun=pods.nouns.get(row.subject, row.noun),
        mask_file_name=os.path.relpath(mask, base) if mask else row.mask_file_name,
        label_quality="estimated" if mask else row.label_quality,  # nothing says how they were made
        shift=pods.shifts.get((row.subject, file.stem), row.shift),
    )


def _mask(file: Path) -> Path | None:
    folder = mask_folder(file.parent)
    places = (folder / f"{file.stem}{suffix}" for suffix in (file.suffix, *sorted(SUFFIXES)))
    return next((place for place in places if place.is_file()), None)
