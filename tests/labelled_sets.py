"""Labelled data sets for tests, in folders: small flat pictures, with rows and masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from imprint.labelled.folder import write_folder
from imprint.labelled.layout import REJECTED, TRAIN, mask_name, picture_name
from imprint.labelled.row import REAL, Box, Row, Score, hard

SIDE = 16


def drawn(subject: str = "dog6", photo: int = 0, k: int = 0, *, masked: bool = False, **facts: Any) -> Row:
    """The row of a drawn picture of a dog."""
    name = picture_name(subject, photo, k)
    given: dict[str, Any] = {
        "file_name": name,
        "mask_file_name": mask_name(name) if masked else "",
        "subject": subject,
        "noun": "dog",
        "labels": hard(subject),
        "source": "from_noise",
        "prompt": f"a sks dog number {photo}",
        "seed": 2**62 + photo,
        "k": k,
        "guidance": 3,
        "run": "0123456789ab",
        "scores": (Score(filter="identity", value=0.25, threshold=0.125, passed=True),),
        "objects": (Box(label=subject, box=(4, 4, 8, 8)),) if masked else (),
        "label_quality": "construction" if masked else "",
    }
    return Row(**{**given, **facts})


def photo(subject: str = "dog6", number: int = 0, **facts: Any) -> Row:
    name = picture_name(subject, number, 0).replace("-k0", "")
    given = {"file_name": name, "subject": subject, "noun": "dog", "labels": hard(subject), "source": REAL}
    return Row(**{**given, **facts})


def draw_rows(folder: Path, splits: Mapping[str, Sequence[Row]]) -> None:
    """Their pictures, each of another colour, and their masks."""
    number = 0
    for split, rows in splits.items():
        for row in rows:
            number += 1
            picture = Image.new("RGB", (SIDE, SIDE), (number * 37 % 256, number * 91 % 256, 80))
            ImageDraw.Draw(picture).rectangle((4, 4, 11, 11), fill=(number * 53 % 256, 20, 200))
            _save(picture, folder / split / row.file_name)
            if row.mask_file_name:
                mask = Image.new("L", (SIDE, SIDE))
                ImageDraw.Draw(mask).rectangle((4, 4, 11, 11), fill=255)
                _save(mask, folder / split / row.mask_file_name)


def write_set(
    folder: Path,
    splits: Mapping[str, Sequence[Row]],
    rejected: Sequence[Row] = (),
    about: Mapping[str, Any] | None = None,
) -> Path:
    draw_rows(folder, {**splits, REJECTED: rejected})
    write_folder(folder, splits=splits, rejected=rejected, about=about or {})
    return folder


def two_subjects(folder: Path, *, masked: bool = True) -> Path:
    """Four drawn pictures with masks, one of them of a soft label; one without a mask; two photos to test with; and a
    rejected picture."""
    soft = drawn("cat2", 1, 0, masked=masked, labels={"cat2": 0.75, "dog6": 0.25}, source="mix", noun="cat")
    train = [drawn(k=0, masked=masked), drawn(k=1, masked=masked), drawn("cat2", masked=masked, noun="cat"), soft]
    train.append(drawn("dog6", 7, 0, scores=()))
    rejected = drawn("dog6", 9, 0, masked=masked, reasons=("identity: nearer to cat2",))
    return write_set(folder, {TRAIN: train, "test": [photo(), photo("cat2", noun="cat")]}, [rejected])


def _save(picture: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)
