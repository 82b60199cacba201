"""What filters left of a data set: counts by subject and by reason, and some of the pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from imprint.labelled.layout import REJECTED, TEST
from imprint.labelled.row import Row
from imprint.reporting.contact_sheets import spread
from imprint.study.costs import named
from imprint.study.examples import Material, PictureSet
from imprint.tables.table import Cell, Column, Table
from imprint.tables.table import Row as Line

REAL, MADE = 4, 6  # pictures of a subject in a column of a sheet
SUBJECTS = 40  # on a sheet
ALL = "all"


class SheetPicture(NamedTuple):
    file: Path
    label: str  # kept, or why not
    about: str  # how it was made


class SheetRow(NamedTuple):
    subject: str
    noun: str
    real: Sequence[SheetPicture]
    kept: Sequence[SheetPicture]
    rejected: Sequence[SheetPicture]


class Sheet(NamedTuple):
    """A data set with pictures that are no photos."""

    name: str
    sources: str
    rows: Sequence[SheetRow]
    left_out: int  # subjects
    table: Table
    has_rejected: bool

    @property
    def files(self) -> list[Path]:
        return [one.file for row in self.rows for part in (row.real, row.kept, row.rejected) for one in part]


def sheets(material: Material) -> list[Sheet]:
    photos = dict(_photos(material))
    return [_sheet(pictures, material, photos) for pictures in material.sets if pictures.pictures]


def acceptance(pictures: PictureSet, subjects: Sequence[str]) -> Table:
    """A line a subject, a column a filter; a picture that several filters reject is in the column of each."""
    kept = Counter(row.subject for _, _, row in _made(pictures))
    rejected = [row for row in pictures.folder.rejected if row.subject in subjects]
    reasons = {subject: Counter[str]() for subject in (*subjects, ALL)}
    for row in rejected:
        for name in dict.fromkeys(_filter(reason) for reason in row.reasons):
            reasons[row.subject][name] += 1
            reasons[ALL][name] += 1
    drawn = Counter(row.subject for row in rejected) + Counter({subject: kept[subject] for subject in subjects})
    filters = [name for name, _ in reasons[ALL].most_common()]
    lines = [_line(subject, kept[subject], drawn[subject], reasons[subject], filters) for subject in subjects]
    total = _line(ALL, sum(kept[subject] for subject in subjects), drawn.total(), reasons[ALL], filters)
    columns = [
        Column("Subject", kind="text"),
        Column("Drawn"),
        Column("Kept"),
        Column("Share", lambda share: f"{share:.0%}", about="of the pictures that were drawn"),
        *(Column(name, about=f"rejected by {name}, perhaps by others too", group="rejected by") for name in filters),
    ]
    title = f"Acceptance: {named(pictures)}"
    return Table(columns=columns, rows=[*lines, total._replace(is_reference=True)], title=title, key="acceptance")


def _line(subject: str, kept: int, drawn: int, reasons: Counter[str], filters: Sequence[str]) -> Line:
    share = kept / drawn if drawn else None
    return Line([Cell(subject), Cell(drawn), Cell(kept), Cell(share), *(Cell(reasons[name]) for name in filters)])


def _sheet(pictures: PictureSet, material: Material, photos: dict[str, list[SheetPicture]]) -> Sheet:
    made = [(file, row) for _, file, row in _made(pictures)]
    rejected = [(pictures.folder.file(REJECTED, row), row) for row in pictures.folder.rejected]
    word = "kept" if rejected else "made"
    subjects = [subject for subject in material.subjects if any(row.subject == subject for _, row in made + rejected)]
    rows = [
        SheetRow(
            subject,
            material.nouns.get(subject, subject),
            spread(photos.get(subject, []), REAL),
            spread([SheetPicture(file, word, _about(row)) for file, row in made if row.subject == subject], MADE),
            spread(
                [SheetPicture(file, _why(row), _about(row)) for file, row in rejected if row.subject == subject], MADE
            ),
        )
        for subject in subjects[:SUBJECTS]
    ]
    sources = [pictures.source] if pictures.source else dict.fromkeys(row.source for _, row in [*made, *rejected])
    return Sheet(
        named(pictures),
        ", ".join(sources),
        rows,
        len(subjects) - len(rows),
        acceptance(pictures, subjects),
        bool(rejected),
    )


def _made(pictures: PictureSet) -> Iterator[tuple[str, Path, Row]]:
    """Those that are no photos; of a folder of pictures of a source, all."""
    for split, row in pictures.folder.rows():
        if split != TEST and (pictures.source or not row.is_real):
            yield split, pictures.folder.file(split, row), row


def _photos(material: Material) -> Iterator[tuple[str, list[SheetPicture]]]:
    found: dict[str, list[SheetPicture]] = {}
    for pictures in material.sets:
        for split, row in pictures.folder.rows():
            if split != TEST and row.is_real and not pictures.source:
                file = pictures.folder.file(split, row)
                found.setdefault(row.subject, []).append(SheetPicture(file, "real", f"{row.subject}, a photo"))
    yield from found.items()


def _filter(reason: str) -> str:
    return reason.partition(":")[0].strip() or "no reason given"


def _why(row: Row) -> str:
    return "; ".join(row.reasons) or "rejected"


def _about(row: Row) -> str:
    said = [row.prompt or row.subject, f"by {row.source}", f"seed {row.seed}" if row.seed else ""]
    scores = ", ".join(f"{score.filter} {score.value:.3g} (threshold {score.threshold:.3g})" for score in row.scores)
    return ", ".join(filter(None, said)) + (f"; {scores}" if scores else "")
