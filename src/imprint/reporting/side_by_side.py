"""Pictures of several runs side by side: of the same prompt, from the same noise."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from imprint.pictures.store import INDEX, read_index
from imprint.reporting.contact_sheets import spread
from imprint.reporting.file_cache import FileCache, modification_time
from imprint.reporting.labels import differing, distinguishing, label_text
from imprint.reporting.record import RunRecord
from imprint.runs import Run

REFERENCES = 8
COLUMNS = 6
MOST_PROMPTS = 12
CACHE = FileCache(most=1000)
ANY_WORD = "[V]"  # in place of each run's own word for the subject


class RunPicture(NamedTuple):
    step: int
    prompt: str
    number: int  # its seed, or which of the prompt's pictures it is
    file: Path


PicturesOf = Callable[[RunRecord], list[RunPicture]]


class Column(NamedTuple):
    label: str
    step: str  # of the pictures, where it is not the same for all
    run: str  # its name; empty: the untuned model


class Picture(NamedTuple):
    column: Column
    file: Path | None  # the last one; None: this picture was never generated
    step: int = 0  # after which it was drawn
    earlier: Mapping[int, Path] = {}  # by step

    @property
    def label(self) -> str:
        return ", ".join(part for part in (self.column.label, self.column.step) if part)


class Row(NamedTuple):
    prompt: str
    seed: int
    pictures: list[Picture]


class Gallery(NamedTuple):
    """Of runs that began from the same model: untuned and tuned pictures of the same prompts and seeds."""

    title: str
    references: list[Path]
    rows: list[Row]
    counted: str  # what distinguishes the pictures of a prompt: seed, or number
    left_out: int = 0  # rows
    steps_left_out: int = 0  # with earlier pictures
    is_scored: bool = False  # its pictures were drawn to be scored, where there are samples, too

    @property
    def steps(self) -> list[int]:
        """All that pictures were drawn after, where there are earlier ones."""
        every = [picture for row in self.rows for picture in row.pictures if picture.column.run]
        earlier = {step for picture in every for step in picture.earlier}
        return sorted(earlier | {picture.step for picture in every if picture.file}) if earlier else []

    @property
    def columns(self) -> list[Column]:
        return [picture.column for picture in self.rows[0].pictures]

    @property
    def files(self) -> list[Path]:
        """Without earlier ones."""
        return [*self.references, *(each.file for row in self.rows for each in row.pictures if each.file)]


def galleries(records: Sequence[RunRecord], axes: Sequence[str] = (), *, most: int) -> list[Gallery]:
    """One for each model and set of photos that has any pictures; with `most` pictures in all, about."""
    found = _titled(_drawn(records, axes, _samples_if_any))
    share = _share(found, most)
    return [_shortened(gallery, max(1, int(len(gallery.rows) * share))) for gallery in found]


def scored_galleries(records: Sequence[RunRecord], axes: Sequence[str] = (), *, most: int) -> list[Gallery]:
    """The pictures that were scored, of runs whose samples are in `galleries`; with `most` pictures in all, at most."""
    sampled = [record for record in records if record.samples]
    found = _titled(_drawn(sampled, axes, lambda group: _scored_pictures))
    share = _share(found, most)
    shortened = [_shortened(gallery, int(len(gallery.rows) * share)) for gallery in found]
    return [gallery._replace(is_scored=True) for gallery in shortened if gallery.rows]


def with_steps(found: Sequence[Gallery], most: int) -> list[Gallery]:
    """With as many steps as have at most this many earlier pictures in all, evenly spread."""
    longest = max((len(gallery.steps) for gallery in found), default=0)
    for count in range(longest, 0, -1):
        kept = [_with_steps(gallery, count) for gallery in found]
        if sum(len(each.earlier) for gallery in kept for row in gallery.rows for each in row.pictures) <= most:
            break
    else:
        kept = [_with_steps(gallery, 0) for gallery in found]
    return kept


def _with_steps(gallery: Gallery, count: int) -> Gallery:
    last = {picture.step for row in gallery.rows for picture in row.pictures}
    earlier = sorted({step for row in gallery.rows for picture in row.pictures for step in picture.earlier})
    steps = spread(earlier, max(0, min(count, len(gallery.steps)) - 1))
    rows = [
        row._replace(
            pictures=[
                picture._replace(earlier={step: file for step, file in picture.earlier.items() if step in steps})
                for picture in row.pictures
            ]
        )
        for row in gallery.rows
    ]
    return gallery._replace(rows=rows, steps_left_out=len({*earlier} - {*steps} - last))


def titles(found: Sequence[Gallery]) -> list[str]:
    """Each once."""
    words = ["Pictures that were scored" if gallery.is_scored else "Pictures" for gallery in found]
    named = [gallery.title if words.count(word) > 1 else "" for gallery, word in zip(found, words, strict=True)]
    return [": ".join(filter(None, pair)) for pair in zip(words, named, strict=True)]


def labels(records: Sequence[RunRecord], axes: Sequence[str] = ()) -> dict[str, str]:
    """A short name for each run: by its sweep's axes, else the few settings in which they differ, else its own name."""
    settings = [record.settings for record in records]
    own = [key for key in axes if key in differing(settings)]
    for keys in (own, distinguishing(settings)):
        texts = {record.name: label_text(record.settings, _in_method(keys, record, settings)) for record in records}
        if len(set(texts.values())) == len(records) and all(texts.values()):
            return texts
    return {record.name: record.name for record in records}


def _in_method(keys: Sequence[str], record: RunRecord, settings: Sequence[Mapping[str, str]]) -> list[str]:
    """Those that tell runs of one method apart, where the method is told: what the others differ in is not of it."""
    if "method" not in keys:
        return list(keys)
    alike = [each for each in settings if each.get("method") == record.settings.get("method")]
    return [key for key in keys if key == "method" or len({each.get(key) for each in alike}) > 1]


def _titled(drawn: Sequence[tuple[Gallery, Sequence[RunRecord]]]) -> list[Gallery]:
    """Where several have the same title, or none: with the settings in which their runs differ, or numbered."""
    found: list[Gallery] = []
    for gallery, group in drawn:
        alike = [own[0].settings for other, own in drawn if other.title == gallery.title]
        title = gallery.title
        if len(alike) > 1 or (not title and len(drawn) > 1):
            title = ", ".join(filter(None, [title, label_text(group[0].settings, distinguishing(alike))])) or "unnamed"
        taken = {other.title for other in found}
        names = (title, *(f"{title} ({number})" for number in range(2, len(drawn) + 1)))
        found.append(gallery._replace(title=next(name for name in names if name not in taken)))
    return found


def _shortened(gallery: Gallery, rows: int) -> Gallery:
    kept = spread(gallery.rows, rows)
    return gallery._replace(rows=kept, left_out=len(gallery.rows) - len(kept))


def _by_model_and_photos(records: Sequence[RunRecord]) -> list[list[RunRecord]]:
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        model = {key: value for key, value in record.settings.items() if key.startswith("model.")}
        path = record.settings.get("dataset.path", "")
        groups.setdefault(json.dumps([model, path], sort_keys=True), []).append(record)
    return list(groups.values())


def _drawn(
    records: Sequence[RunRecord], axes: Sequence[str], choose: Callable[[Sequence[RunRecord]], PicturesOf]
) -> list[tuple[Gallery, Sequence[RunRecord]]]:
    """For each model and set of photos that has any of the pictures that are chosen."""
    groups = _by_model_and_photos(records)
    return [(gallery, group) for group in groups if (gallery := _gallery(group, axes, choose(group))).rows]


def _share(found: Sequence[Gallery], most: int) -> float:
    return min(1.0, most / max(1, sum(len(gallery.files) for gallery in found)))


def _gallery(group: Sequence[RunRecord], axes: Sequence[str], pictures_of: PicturesOf) -> Gallery:
    """One run: some of its steps, the last one with all earlier ones. Several: the last pictures of each, with its
    earlier ones."""
    names = labels(group, axes)
    # Methods call the subject by different words: the same prompt for all of them is one row.
    same_word = len({record.identifiers for record in group if record.identifiers}) <= 1
    pictures = {record.folder: pictures_of(record) for record in group}
    last = {max((entry.step for entry in own), default=0) for own in pictures.values()} - {0}
    columns: list[tuple[Column, int, dict[tuple[str, int], Path]]] = []
    earlier: dict[tuple[str, int, str], dict[int, Path]] = {}  # by prompt, number and run
    untuned: dict[tuple[str, int], Path] = {}
    for record in group:
        entries = pictures[record.folder]
        steps = sorted({entry.step for entry in entries if entry.step > 0})
        for step in spread(steps, COLUMNS) if len(group) == 1 else steps[-1:]:
            at = f"step {step}"
            column = Column(at, "", record.name)
            if len(group) > 1:
                column = Column(names[record.name], at if len(last) > 1 else "", record.name)
            columns.append((column, step, _files(record, entries, step, same_word)))
        for step in steps[:-1]:
            for key, file in _files(record, entries, step, same_word).items():
                earlier.setdefault((*key, record.name), {})[step] = file
        untuned = {**_files(record, entries, 0, same_word), **untuned}
    if untuned:
        columns.insert(0, (Column("untuned", "", ""), 0, untuned))
    keys = list(dict.fromkeys([*untuned, *(key for _, _, files in columns for key in files)]))
    rows = [
        Row(
            *key,
            [
                Picture(column, files.get(key), step, earlier.get((*key, column.run), {}) if step in last else {})
                for column, step, files in columns
            ],
        )
        for key in keys
    ]
    first = group[0]
    path = Path(first.settings.get("dataset.path", "")).name
    named = (first.settings.get("dataset.subject"), first.settings.get("dataset.name"), path)
    title = next((name for name in named if name and name != "auto"), "")
    photos = next((record.references for record in group if record.references), [])
    return Gallery(title, spread(photos, REFERENCES), rows, "seed" if pictures_of is _samples else "picture")


def _samples_if_any(group: Sequence[RunRecord]) -> PicturesOf:
    return _samples if any(record.samples for record in group) else _scored_pictures


def _samples(record: RunRecord) -> list[RunPicture]:
    """Those of the sampling protocol."""
    folder = Run(record.folder).samples
    return [RunPicture(entry.step, entry.prompt, entry.seed, folder / entry.file) for entry in record.samples]


def _scored_pictures(record: RunRecord) -> list[RunPicture]:
    """Of the pictures that were scored, the first one of some of each subject's prompts, from the newest folder."""
    newest: dict[str, list[tuple[str, Path]]] = {}
    for index in sorted((record.folder / "pictures").glob(f"subject-*/{INDEX}"), key=modification_time):
        try:
            subject, pictures = CACHE.of(index, _first_pictures)
        except (OSError, ValueError, TypeError, LookupError):
            continue
        newest[subject] = pictures
    return [
        RunPicture(record.steps or 1, prompt, 0, file)
        for pictures in newest.values()
        for prompt, file in spread(pictures, MOST_PROMPTS)
    ]


def _first_pictures(index: Path) -> tuple[str, list[tuple[str, Path]]]:
    """The subject, and (prompt, picture)."""
    common, listed = read_index(index)
    first = [each for each in listed if each["k"] == 0 and each["state"] != "failed"]
    first.sort(key=lambda each: each["file"])
    return str(common["subject"]), [(str(each["prompt"]), index.parent / each["file"]) for each in first]


def _files(
    record: RunRecord, pictures: Sequence[RunPicture], step: int, same_word: bool
) -> dict[tuple[str, int], Path]:
    return {
        (each.prompt if same_word else _with_any_word(each.prompt, record.identifiers), each.number): each.file
        for each in pictures
        if each.step == step
    }


def _with_any_word(prompt: str, identifiers: Sequence[str]) -> str:
    """The prompt with [V], [V]2, ... in place of the words for the first subject, the second, ..."""
    for number, identifier in enumerate(identifiers, start=1):
        word = ANY_WORD if number == 1 else f"{ANY_WORD}{number}"
        prompt = re.sub(rf"(?<!\w){re.escape(identifier)}(?!\w)", word, prompt)
    return prompt
