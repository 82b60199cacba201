"""The pictures of a study: photos to train on, pictures that were made of them, and photos to test on.

A study knows folders alone: labelled data sets, or a folder for each class. Whoever made the pictures, they are read
here, and all that is wrong with them is said at once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from PIL import Image

from imprint.data.decoding import decode_mask
from imprint.data.decoding import read as read_file
from imprint.data.listing import printable
from imprint.errors import ConfigError, Problem, UserError
from imprint.hashing import file_hash
from imprint.labelled.folder import LabelledFolder, read_folder
from imprint.labelled.layout import TEST
from imprint.labelled.pods import GROUPS
from imprint.labelled.row import REAL, Row
from imprint.labelled.splits import refuse_shared, shared_with_test
from imprint.locations import locate
from imprint.suggestions import nearest

TAUGHT = "photos"  # in what a data set says of itself: by subject, the photos that its generator was taught from
ENCODERS = "encoders"  # likewise: of each filter, the fingerprints of the encoders that it looked with
BY_NOBODY = ("untuned", "truth")  # sources that were taught from no photo
SHOWN = 5  # names in a message

# Of masks: as they were made; put beside a photo by somebody; found by an algorithm.
Quality = Literal["exact", "given", "estimated"]


class Marking(NamedTuple):
    """Where in a picture its subject is: white in a mask."""

    file: Path
    quality: Quality
    estimator: str  # what found it, where that is known

    @property
    def content(self) -> str:
        return file_hash(self.file)

    def load(self) -> Image.Image:
        """Grey."""
        return decode_mask(read_file(self.file))


class Example(NamedTuple):
    """A picture. `key` is what rows call a photo that something was made from, `number` which of its subject's photos
    it is. `taught` are the photos that its generator was taught from; None: there was none, or nobody says."""

    key: str
    number: int
    subject: str
    source: str
    labels: Mapping[str, float]
    content: str  # hash of the file's bytes
    parent: str
    taught: frozenset[str] | None
    untold: bool  # whether a generator made it of which nobody says what it was taught from
    read: Callable[[], Image.Image]
    marking: Marking | None = None
    shift: str = ""  # of a photo to test on: what it has that photos to train on have not

    def load(self) -> Image.Image:
        return self.read()

    def is_made_of(self, photos: Mapping[str, frozenset[str]]) -> bool:
        """Whether these photos, by subject, are all that is in it: none more was taught from, and none fewer."""
        if self.parent and not any(self.parent in keys for keys in photos.values()):
            return False
        return self.taught is None or self.taught == photos.get(self.subject)


class PictureSet(NamedTuple):
    """A folder that was read. `source` is what its pictures count as, where the study says so; `pictures` are hashes of
    those that are no photos."""

    folder: LabelledFolder
    source: str
    pictures: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Material:
    """`photos` are by subject, in the order in which shots are counted. `strangers` are photos to test on of subjects
    that there are no photos to train on of."""

    photos: Mapping[str, Sequence[Example]]
    pictures: Sequence[Example]
    tests: Sequence[Example]
    strangers: Sequence[Example]
    nouns: Mapping[str, str]
    sets: Sequence[PictureSet]
    filters_looked_with: frozenset[str]  # fingerprints of encoders
    remarks: Sequence[str]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(self.photos)

    def first(self, shots: int) -> dict[str, tuple[Example, ...]]:
        """Of each subject: what fewer shots have, more have too."""
        return {subject: tuple(photos[:shots]) for subject, photos in self.photos.items()}


def read_material(
    data: Sequence[str],
    pictures: Mapping[str, str],
    test: str | None,
    *,
    subjects: Sequence[str] | str | None,
    shots: Sequence[int],
    parts: Literal["refuse", "tell"],
) -> Material:
    """`data` are folders; `pictures` are folders of pictures alone, by the source that they are counted as. `subjects`
    are names, or the name of a group of the data. `parts`: what becomes of pictures that repeat a part of a photo to
    test on. Raises ConfigError with all that is wrong."""
    problems: list[Problem | str] = []
    folders = [folder for path in data if (folder := _read("data", path, problems))]
    named = {
        source: folder for source, path in pictures.items() if (folder := _read(f"pictures.{source}", path, problems))
    }
    tested = _read("test", test, problems) if test is not None else None
    if isinstance(subjects, str):
        subjects = _grouped(subjects, folders, problems)
    if problems:
        raise ConfigError(problems)
    found = _gathered(folders, named, tested)
    kept, remarks = _chosen(found, subjects, problems)
    problems += _faults(kept, found, shots)
    problems += _on_both_sides([*folders, *named.values()], tested, parts, remarks)
    if problems:
        raise ConfigError(problems)
    return Material(
        photos={subject: kept.photos[subject] for subject in sorted(kept.photos)},
        pictures=kept.pictures,
        tests=kept.tests,
        strangers=[] if subjects is not None else [one for one in found.tests if one.subject not in found.photos],
        nouns=_nouns([tested] if tested is not None else folders) | _nouns([*folders, *named.values()]),
        sets=found.sets,
        filters_looked_with=frozenset(_looked_with([*folders, *named.values()])),
        remarks=[*remarks, *_untold(kept)],
    )


class _Found(NamedTuple):
    photos: dict[str, list[Example]]
    pictures: list[Example]
    tests: list[Example]
    sets: list[PictureSet]


def _read(key: str, path: str, problems: list[Problem | str]) -> LabelledFolder | None:
    try:
        folder = read_folder(locate(path))
        folder.check_pictures()
    except UserError as error:
        problems.append(f"{key}={printable(path)}: {error}")
        return None
    return folder


def _grouped(name: str, folders: Sequence[LabelledFolder], problems: list[Problem | str]) -> list[str]:
    known: dict[str, list[str]] = {}
    for folder in folders:
        for group, own in (folder.about.get(GROUPS) or {}).items():
            known.setdefault(group, []).extend(own)
    if name not in known:
        there = nearest(name, known) if known else "the data knows none. Give names: subjects=[dog,cat]."
        problems.append(Problem("subjects", name, f"there is no such group of subjects; {there}"))
    return known.get(name, [])


def _gathered(
    folders: Sequence[LabelledFolder], named: Mapping[str, LabelledFolder], tested: LabelledFolder | None
) -> _Found:
    found = _Found({}, [], [], [])
    for folder in folders:
        before = len(found.pictures)
        for split, row in folder.rows():
            if split == TEST:
                if tested is None and row.is_real:
                    found.tests.append(_example(folder, split, row, row.source, 0))
            elif row.is_real:
                own = found.photos.setdefault(row.subject, [])
                own.append(_example(folder, split, row, row.source, len(own)))
            else:
                found.pictures.append(_example(folder, split, row, row.source, 0))
        found.sets.append(_set(folder, "", found.pictures[before:]))
    for source, folder in named.items():
        before = len(found.pictures)
        found.pictures.extend(_example(folder, split, row, source, 0) for split, row in folder.rows() if split != TEST)
        found.sets.append(_set(folder, source, found.pictures[before:]))
    if tested is not None:
        only = TEST if tested.splits.get(TEST) else None
        found.tests.extend(
            _example(tested, split, row, row.source, 0) for split, row in tested.rows() if only in (None, split)
        )
    return found


def _set(folder: LabelledFolder, source: str, pictures: Sequence[Example]) -> PictureSet:
    return PictureSet(folder, source, frozenset(one.content for one in pictures))


def _example(folder: LabelledFolder, split: str, row: Row, source: str, number: int) -> Example:
    taught = folder.about.get(TAUGHT)
    own = taught.get(row.subject) if isinstance(taught, dict) and row.run else None
    known = frozenset(map(str, own)) if isinstance(own, list) else None
    return Example(
        key=f"{row.subject}/{PurePosixPath(row.file_name).name}",
        number=number,
        subject=row.subject,
        source=source,
        labels=row.labels,
        content=file_hash(folder.file(split, row)),
        parent=row.parent,
        taught=known,
        untold=known is None and source not in (REAL, *BY_NOBODY) and (bool(row.run) or not row.parent),
        read=partial(folder.load, split, row),
        marking=_marking(folder, split, row),
        shift=row.shift,
    )


def _marking(folder: LabelledFolder, split: str, row: Row) -> Marking | None:
    file = folder.mask(split, row)
    if file is None:
        return None
    if row.label_quality == "construction":
        return Marking(file, "exact", "")
    return Marking(file, "given" if row.is_real and not row.estimator else "estimated", row.estimator)


def _chosen(found: _Found, subjects: Sequence[str] | None, problems: list[Problem | str]) -> tuple[_Found, list[str]]:
    """What is of the subjects that are asked for: all of which there are photos, unless some are named."""
    if unknown := [subject for subject in subjects or () if subject not in found.photos]:
        problems += [Problem("subjects", subject, nearest(subject, found.photos)) for subject in unknown]
    chosen = set(found.photos if subjects is None else subjects)
    others = sorted({one.subject for one in (*found.pictures, *found.tests)} - chosen) if subjects is None else []
    remarks = [f"There are no photos to train on of {_some(others)}: nothing is learned of them."] if others else []
    return (
        _Found(
            {subject: photos for subject, photos in found.photos.items() if subject in chosen},
            [one for one in found.pictures if one.subject in chosen],
            [one for one in found.tests if one.subject in chosen],
            found.sets,
        ),
        remarks,
    )


def _faults(kept: _Found, found: _Found, shots: Sequence[int]) -> Iterator[Problem | str]:
    if not found.photos:
        yield (
            "data: there is no photo to train on. Give their folder, too, with a folder for each subject: "
            "imprint study data/pets photos/"
        )
        return
    if len(kept.photos) < 2:
        yield f"data: there are photos of {_some(list(kept.photos))} alone, and nothing to tell apart from it."
    short = [f"{subject} {len(photos)}" for subject, photos in kept.photos.items() if len(photos) < max(shots)]
    if short:
        remedy = f"of these subjects there are fewer photos: {_some(short)}. Give fewer shots, or more photos."
        yield Problem("shots", max(shots), remedy)
    if not kept.tests:
        yield "test: there is no photo to test on. Give test=FOLDER, with a folder for each subject."
    elif untested := [subject for subject in kept.photos if subject not in {one.subject for one in kept.tests}]:
        yield f"test: there is no photo of {_some(untested)}. Add some, or name the others: subjects=[...]."
    known = {photo.key for photos in found.photos.values() for photo in photos}
    if orphans := [one for one in kept.pictures if one.parent and one.parent not in known]:
        named = _some(sorted({one.parent for one in orphans}))
        yield (
            f"data: {len(orphans)} pictures were made from photos that are not among those to train on ({named}). Give "
            "the folder of these photos, under the names that they had, or leave the pictures out."
        )


def _on_both_sides(
    folders: Sequence[LabelledFolder],
    tested: LabelledFolder | None,
    parts: Literal["refuse", "tell"],
    remarks: list[str],
) -> Iterator[str]:
    """What is tested on and learned from; a data set's own test split is tested on where there is no other."""
    sides = [tested] if tested is not None else [folder for folder in folders if folder.splits.get(TEST)]
    for side in sides:
        for folder in folders:
            shared = shared_with_test(folder, tested=None if side is folder else side)
            if shared.parts and parts == "tell":
                remarks.append(
                    f"{printable(folder.folder)}: {len(shared.parts)} times a picture is like a part of a photo to "
                    f"test on: {'; '.join(shared.parts[:SHOWN])}{' ...' if len(shared.parts) > SHOWN else ''}."
                )
            refused = [*shared.copies, *(shared.parts if parts == "refuse" else ())]
            try:
                refuse_shared(folder, refused)
            except UserError as error:
                by_hand = " If these are different photos of a plain place: parts=tell." * (refused != shared.copies)
                yield f"{error}{by_hand}"


def _untold(kept: _Found) -> Iterator[str]:
    """Pictures by a generator of which nobody says what it was taught from."""
    if untold := sorted({one.source for one in kept.pictures if one.untold}):
        yield (
            f"Of pictures by {_some(untold)} nothing says which photos their generator was taught from: that these are "
            "the arm's own, and none to test on, is for you to know."
        )


def _nouns(folders: Sequence[LabelledFolder]) -> dict[str, str]:
    """The classes of subjects; of folders alone a subject is its own class, unless a data set says more."""
    found: dict[str, str] = {}
    for folder in folders:
        for _, row in folder.rows():
            if row.noun != row.subject or row.subject not in found:
                found[row.subject] = row.noun
    return found


def _looked_with(folders: Sequence[LabelledFolder]) -> Iterator[str]:
    for folder in folders:
        said: Any = folder.about.get(ENCODERS)
        for own in said.values() if isinstance(said, dict) else ():
            yield from map(str, own.values() if isinstance(own, dict) else ())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(printable, names[:SHOWN])) + more
