"""What cannot be right with the pictures of a study, and what its reader has to know of them."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from imprint.data.listing import printable
from imprint.errors import Problem, UserError
from imprint.labelled.captions import caption_of
from imprint.labelled.folder import LabelledFolder
from imprint.labelled.layout import TEST
from imprint.labelled.splits import refuse_shared, shared_with_test
from imprint.study.examples import Example, PictureSet
from imprint.synthesis.prompts import NOUN, named_places

SHOWN = 5  # names in a message


class Found(NamedTuple):
    photos: dict[str, list[Example]]
    pictures: list[Example]
    tests: list[Example]
    sets: list[PictureSet]


def faults(kept: Found, found: Found, shots: Sequence[int]) -> Iterator[Problem | str]:
    if not found.photos:
        yield (
            "data: there is no photo to train on. Give their folder, too, with a folder for each subject: "
            "imprint study data/pets photos/"
        )
        return
    if len(kept.photos) < 2:
        yield f"data: there are photos of {some(list(kept.photos))} alone, and nothing to tell apart from it."
    short = [f"{subject} {len(photos)}" for subject, photos in kept.photos.items() if len(photos) < max(shots)]
    if short:
        remedy = f"of these subjects there are fewer photos: {some(short)}. Give fewer shots, or more photos."
        yield Problem("shots", max(shots), remedy)
    if not kept.tests:
        yield "test: there is no photo to test on. Give test=FOLDER, with a folder for each subject."
    elif untested := [subject for subject in kept.photos if subject not in {one.subject for one in kept.tests}]:
        yield f"test: there is no photo of {some(untested)}. Add some, or name the others: subjects=[...]."
    known = {photo.key for photos in found.photos.values() for photo in photos}
    if orphans := [one for one in kept.pictures if one.parent and one.parent not in known]:
        named = some(sorted({one.parent for one in orphans}))
        yield (
            f"data: {len(orphans)} pictures were made from photos that are not among those to train on ({named}). Give "
            "the folder of these photos, under the names that they had, or leave the pictures out."
        )


def on_both_sides(
    folders: Sequence[LabelledFolder],
    tested: LabelledFolder | None,
    found: Found,
    shots: Sequence[int],
    *,
    parts: Literal["refuse", "tell"],
    remarks: list[str],
) -> Iterator[str]:
    """What is tested on and learned from; a data set's own test split is tested on where there is no other. A picture
    by a generator of which the photos are known is like a part of another photo by chance: that is told."""
    unused = {photo.content for photos in found.photos.values() for photo in photos[max(shots, default=0) :]}
    unused -= {photo.content for photos in found.photos.values() for photo in photos[: max(shots, default=0)]}
    by_chance = {one.content for one in found.pictures if not one.untold}
    sides = [tested] if tested is not None else [folder for folder in folders if folder.splits.get(TEST)]
    for side in sides:
        for folder in folders:
            shared = shared_with_test(folder, tested=None if side is folder else side, unused=unused)
            told = [part.said for part in shared.parts if parts == "tell" or part.content in by_chance]
            if told:
                remarks.append(
                    f"{printable(folder.folder)}: {len(told)} times a picture is like a part of a photo to test on: "
                    f"{'; '.join(told[:SHOWN])}{' ...' if len(told) > SHOWN else ''}."
                )
            cut = [part.said for part in shared.parts if part.said not in told]
            try:
                refuse_shared(folder, [*shared.copies, *cut])
            except UserError as error:
                yield f"{error}{' If these are different photos of a plain place: parts=tell.' * bool(cut)}"


def untold(kept: Found) -> Iterator[str]:
    """Pictures by a generator of which nobody says what it was taught from."""
    if sources := sorted({one.source for one in kept.pictures if one.untold}):
        yield (
            f"Of pictures by {some(sources)} nothing says which photos their generator was taught from: that these are "
            "the arm's own, and none to test on, is for you to know."
        )


def places_of_tests(folders: Sequence[LabelledFolder], tested: LabelledFolder | None) -> Iterator[str]:
    """Prompts of pictures that name a place which photos to test on are said to show."""
    prompts = {
        f"a {NOUN}{after}": row.prompt
        for folder in folders
        for split, row in folder.rows()
        if split != TEST and not row.is_real
        for _, found, after in [row.prompt.partition(row.noun)]
        if found
    }
    sides = [(tested, None)] if tested is not None else [(folder, TEST) for folder in folders]
    captions = [
        caption
        for side, only in sides
        for split, row in side.rows()
        if only in (None, split) and (caption := caption_of(side, split, row))
    ]
    if told := [prompts[template] for template in named_places(list(prompts), captions)]:
        yield (
            "These prompts of pictures name places of photos to test on: a learner may come to know the places by "
            f"them. {some(sorted(told))}."
        )


def some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(printable, names[:SHOWN])) + more
