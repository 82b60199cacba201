"""PODS's files (Sundaram et al., 2025; github.com/ssundaram21/personalized-rep), and those of DF2 and Dogs in its form:

pods_info.json          of each object what it is, and its group: val, to choose by; test, to tell results of
pods_image_annos.json   of each picture to test on what it has that training has not
train/mugs_blue/0.jpg   three photos; train_masks/mugs_blue/0.jpg  their masks, white where the object is
test/  test_dense/      photos to test on; test_dense_masks/  the masks of some
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter, ValidationError

from imprint.errors import UserError
from imprint.foreign_files import Unreadable, read_json

INFO, ANNOTATIONS = "*_info.json", "*_image_annos.json"
PARTS = ("train", "test", "test_dense")  # folders of photos
MASKS = "_masks"  # what the folder of their masks is called besides


@dataclass(frozen=True, kw_only=True)
class Pods:
    """What the files say: `nouns` and `groups` by object, `shifts` by object and the stem of a picture's name."""

    root: Path
    nouns: Mapping[str, str]
    groups: Mapping[str, str]
    shifts: Mapping[tuple[str, str], str]

    def of_group(self, name: str) -> list[str]:
        return sorted(each for each, own in self.groups.items() if own == name)


@dataclass(frozen=True, kw_only=True)
class _Info:
    class_to_sc: Mapping[str, str]
    class_to_split: Mapping[str, str] = field(default_factory=dict)


def pods_in(folder: Path) -> Pods | None:
    """Of such a data set, or one of its folders of photos; None of anything else. Raises UserError where the files
    cannot be read."""
    root = folder.parent if folder.name in PARTS else folder
    if not (root / PARTS[0]).is_dir() or not (file := _only(root, INFO)):
        return None
    content = _read(file)
    try:
        info = TypeAdapter(_Info).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UserError(f"{file}: {place}: {first['msg'].lower()}. Get the file of the data set again.") from None
    return Pods(root=root, nouns=info.class_to_sc, groups=info.class_to_split, shifts=_shifts(root))


def mask_folder(photos: Path) -> Path:
    """Where the masks of an object's photos lie: train_masks/mugs_blue of train/mugs_blue."""
    split = photos.parent
    return split.parent / f"{split.name}{MASKS}" / photos.name


def _shifts(root: Path) -> dict[tuple[str, str], str]:
    file = _only(root, ANNOTATIONS)
    content = _read(file) if file else {}
    found = {}
    for name, own in content.items() if isinstance(content, Mapping) else ():
        if isinstance(own, Mapping) and isinstance(own.get("class"), str) and isinstance(own.get("test_split"), str):
            # The data set's page does not say whether names of pictures have folders and endings.
            found[own["class"], PurePosixPath(str(name)).stem] = own["test_split"]
    return found


def _only(root: Path, pattern: str) -> Path | None:
    found = sorted(root.glob(pattern))
    if len(found) > 1:
        names = " and ".join(file.name for file in found)
        raise UserError(f"{root}: {names} both say what is in it. Keep one.")
    return found[0] if found else None


def _read(file: Path) -> Any:
    try:
        return read_json(file)
    except Unreadable as error:
        raise UserError(f"{file} cannot be read: {error}") from error
