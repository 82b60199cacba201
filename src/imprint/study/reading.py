"""Reads the pictures of a study.

A study knows folders alone: labelled data sets, or a folder for each class. Whoever made the pictures, they are read
here, and all that is wrong with them is said at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from imprint.data.listing import printable
from imprint.errors import ConfigError, Problem, UserError
from imprint.hashing import file_hash
from imprint.labelled.folder import LabelledFolder, read_folder
from imprint.labelled.layout import TEST
from imprint.labelled.pods import GROUPS
from imprint.labelled.row import REAL, Row
from imprint.locations import locate
from imprint.study.examples import Example, Marking, Material, PictureSet
from imprint.study.refusals import Found, faults, on_both_sides, places_of_tests, some, untold
from imprint.suggestions import nearest

TAUGHT = "photos"  # in what a data set says of itself: by subject, the photos that its generator was taught from
ENCODERS = "encoders"  # likewise: of each filter, the fingerprints of the encoders that it looked with
DRAWING = "drawing"  # as a data set calls its state that is not finished
BY_NOBODY = ("untuned", "truth")  # sources that were taught from no photo


class DrawnSet(NamedTuple):
    """A data set that was drawn for a study. `shots`: for arms with so many photos alone; `source`: as arms name its
    pictures, None: as its rows do."""

    folder: Path
    shots: int | None
    source: str | None


def read_material(
    data: Sequence[str],
    pictures: Mapping[str, str],
    test: str | None,
    drawn: Sequence[DrawnSet] = (),
    *,
    subjects: Sequence[str] | str | None,
    shots: Sequence[int],
    parts: Literal["refuse", "tell"],
) -> Material:
    """`data` are folders; `pictures` are folders of pictures alone, by the source that they are counted as. `subjects`
    are names, or the name of a group of the data. Of `drawn` sets only what was drawn is taken. `parts`: what becomes
    of pictures that repeat a part of a photo to test on. Raises ConfigError with all that is wrong."""
    problems: list[Problem | str] = []
    folders = [folder for path in data if (folder := _read("data", path, problems))]
    named = {
        source: folder for source, path in pictures.items() if (folder := _read(f"pictures.{source}", path, problems))
    }
    made = [(one, folder) for one in drawn if (folder := _read("synthesise", str(one.folder), problems))]
    tested = _read("test", test, problems) if test is not None else None
    if isinstance(subjects, str):
        subjects = _grouped(subjects, folders, problems)
    if problems:
        raise ConfigError(problems)
    found = _gathered(folders, named, made, tested)
    kept, remarks = _chosen(found, subjects, problems)
    problems += faults(kept, found, shots)
    others = [*folders, *named.values(), *(folder for _, folder in made)]
    problems += on_both_sides(others, tested, found, shots, parts=parts, remarks=remarks)
    if problems:
        raise ConfigError(problems)
    return Material(
        photos={subject: kept.photos[subject] for subject in sorted(kept.photos)},
        pictures=kept.pictures,
        tests=kept.tests,
        strangers=[] if subjects is not None else [one for one in found.tests if one.subject not in found.photos],
        nouns=_nouns([tested] if tested is not None else folders) | _nouns(others),
        sets=found.sets,
        filters_looked_with=frozenset(_looked_with(others)),
        remarks=[*remarks, *untold(kept), *places_of_tests(others, tested)],
    )


def _read(key: str, path: str, problems: list[Problem | str]) -> LabelledFolder | None:
    try:
        folder = read_folder(locate(path))
        folder.check_pictures()
        if folder.about.get("state") == DRAWING:
            raise UserError(
                "this data set is not finished: its drawing was stopped, or goes on. The same imprint synthesise "
                "command ends it."
            )
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
    folders: Sequence[LabelledFolder],
    named: Mapping[str, LabelledFolder],
    made: Sequence[tuple[DrawnSet, LabelledFolder]],
    tested: LabelledFolder | None,
) -> Found:
    found = Found({}, [], [], [])
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
    for one, folder in made:
        before = len(found.pictures)
        found.pictures.extend(
            _example(folder, split, row, one.source or row.source, 0)._replace(only_for=one.shots)
            for split, row in folder.rows()
            if split != TEST and not row.is_real
        )
        found.sets.append(_set(folder, one.source or "", found.pictures[before:]))
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


def _chosen(found: Found, subjects: Sequence[str] | None, problems: list[Problem | str]) -> tuple[Found, list[str]]:
    """What is of the subjects that are asked for: all of which there are photos, unless some are named."""
    if unknown := [subject for subject in subjects or () if subject not in found.photos]:
        problems += [Problem("subjects", subject, nearest(subject, found.photos)) for subject in unknown]
    chosen = set(found.photos if subjects is None else subjects)
    others = sorted({one.subject for one in (*found.pictures, *found.tests)} - chosen) if subjects is None else []
    remarks = [f"There are no photos to train on of {some(others)}: nothing is learned of them."] if others else []
    return (
        Found(
            {subject: photos for subject, photos in found.photos.items() if subject in chosen},
            [one for one in found.pictures if one.subject in chosen],
            [one for one in found.tests if one.subject in chosen],
            found.sets,
        ),
        remarks,
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
