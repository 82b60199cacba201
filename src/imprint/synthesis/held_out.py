"""The photos that a data set is tested on: of a folder, and those that runs were not trained on. None of them, nor a
copy, is among the photos that pictures are made from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from PIL import Image

from imprint.data.decoding import decode_mask, read
from imprint.data.estimated_masks import estimator_of
from imprint.data.listing import printable
from imprint.data.masks import load_mask
from imprint.data.pictures import PictureSet
from imprint.errors import Problem
from imprint.labelled.captions import caption_of
from imprint.labelled.folder import read_folder
from imprint.labelled.layout import TEST, mask_name, subject_folder
from imprint.labelled.row import REAL, Row, hard
from imprint.locations import locate
from imprint.pictures.likeness import nearest_same
from imprint.synthesis.taught import Taught

SHOWN = 8  # of copies in a message


class HeldOut(NamedTuple):
    """`name` is what messages call it. A mask is grey, as large as the photo."""

    row: Row
    name: str
    photo: Image.Image
    caption: str
    mask: Image.Image | None


def photos_to_test(test: str | None, subjects: Sequence[Taught]) -> list[HeldOut]:
    """Raises UserError for a folder that cannot be used."""
    found = [*_of_runs(subjects), *(_of_folder(test, subjects) if test is not None else ())]
    numbers: dict[str, int] = {}
    for place, one in enumerate(found):
        number = numbers[one.row.subject] = numbers.get(one.row.subject, -1) + 1
        name = f"{subject_folder(one.row.subject)}/t{number:03d}.png"
        found[place] = one._replace(
            row=replace(one.row, file_name=name, mask_file_name=mask_name(name) if one.mask is not None else "")
        )
    return found


def problems(test: str | None, photos: Sequence[HeldOut], subjects: Sequence[Taught]) -> Iterator[Problem | str]:
    """Photos of the test among those that pictures are made from, each by its name; and pictures that are no photos."""
    made = [one.name for one in photos if not one.row.is_real]
    if made:
        yield Problem("test", test, f"these were made by a program, and a test has photos alone: {_some(made)}.")
    trained = [(subject, index) for subject in subjects for index in range(len(subject.photos))]
    pictures = [subject.photos.load(index) for subject, index in trained]
    copies = [
        f"{photos[number].name} = {subject.label}/{subject.keys[index].rpartition('/')[2]}"
        for (subject, index), found in zip(trained, nearest_same(pictures, [one.photo for one in photos]), strict=True)
        for number in found
    ]
    if copies:
        remedy = (
            f"these are among the photos to train on, perhaps mirrored or saved again: {_some(copies)}. Who is tested "
            "on them is tested on what was seen: leave them out of one of the two."
        )
        yield Problem("test", test, remedy)


def _of_runs(subjects: Sequence[Taught]) -> Iterator[HeldOut]:
    for subject in subjects:
        held_out: PictureSet | None = subject.held_out
        for index in range(len(held_out or ())):
            assert held_out is not None
            picture = held_out.pictures[index]
            key = picture.key.rpartition("/")[2]
            row = Row(
                file_name=key,
                subject=subject.label,
                noun=subject.noun,
                labels=hard(subject.label),
                source=REAL,
                label_quality="estimated" if picture.mask else "",  # nothing says how they were made
                estimator=estimator_of(picture.mask.file) if picture.mask else "",
            )
            mask = load_mask(picture.mask) if picture.mask else None
            name = f"{subject.label}/{key} (kept out)"
            yield HeldOut(row, name, held_out.load(index), picture.caption or "", mask)


def _of_folder(test: str, subjects: Sequence[Taught]) -> Iterator[HeldOut]:
    folder = read_folder(locate(test))
    folder.check_pictures()
    nouns = {subject.label: subject.noun for subject in subjects}
    split = next((name for name in (TEST, "") if folder.splits.get(name)), next(iter(folder.splits), ""))
    for row in folder.splits.get(split, ()):
        own = replace(row, noun=nouns.get(row.subject, row.noun), mask_file_name="", objects=())
        file = folder.mask(split, row)
        if file is None:
            own = replace(own, label_quality="", estimator="")
        mask = None if file is None else decode_mask(read(file))
        yield HeldOut(own, printable(row.file_name), folder.load(split, row), caption_of(folder, split, row), mask)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
