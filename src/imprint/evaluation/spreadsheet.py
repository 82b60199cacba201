"""A score sheet as tables: its means for people, every value for spreadsheets."""

from collections.abc import Iterator
from pathlib import Path

from imprint.evaluation.sheet import PictureCount, ScoreSheet
from imprint.files import write_text
from imprint.tables.csv import as_csv
from imprint.tables.table import Cell, Column, Row, Table

ROWS = {
    "tuned": "the run's model",
    "untuned": "the untuned model",
    "prompt_only": "the untuned model, without an identifier",
    "real": "the photos themselves",
    "copies": "photos trained on, repeated",
}
VALUES = ("run", "subject", "profile", "row", "metric", "set", "category", "number", "k", "prompt", "value")


def means(sheet: ScoreSheet) -> Table:
    """Rows by metrics, with the pictures that each row counts, and what makes the numbers comparable."""
    rows = []
    for row, words in ROWS.items():
        if scores := sheet.rows.get(row):
            cells = [Cell(scores[name].mean if name in scores else None) for name in sheet.metrics]
            rows.append(Row([Cell(f"{row} ({words})"), Cell(_counted(sheet.pictures[row])), *cells]))
    meaning = [
        f"{facts.title}: {facts.encoder_names or 'no encoder'}; fingerprint {facts.fingerprint}"
        for facts in sheet.metrics.values()
    ]
    return Table(
        title=f"{sheet.run}: {sheet.subject} ({sheet.noun}), profile {sheet.profile}",
        columns=[
            *(Column(heading, kind="text") for heading in ("row", "pictures")),
            *(Column(facts.heading, "{:.3f}".format) for facts in sheet.metrics.values()),
        ],
        rows=rows,
        notes=[*meaning, *(f"Note: {note}" for note in sheet.notes)],
    )


def write_csv(sheet: ScoreSheet, file: Path) -> None:
    """One line a value."""
    write_text(file, as_csv(Table.of_values(VALUES, _values(sheet))))


def _values(sheet: ScoreSheet) -> Iterator[tuple[str | float | None, ...]]:
    for row, metrics in sheet.rows.items():
        for name, scored in metrics.items():
            for value in scored.values:
                prompt, category = "", ""
                if value.number is not None and row != "real":
                    prompt, category = sheet.prompts[value.set][value.number]
                place = (sheet.run, sheet.subject, sheet.profile, row, name, value.set, category)
                yield *place, value.number, value.k, prompt, value.value


def _counted(count: PictureCount) -> str:
    missing = count.asked - count.drawn - count.failed - count.blank
    others = [f"{number} {kind}" for number, kind in ((count.failed, "failed"), (count.blank, "blank")) if number]
    others += [f"{missing} missing"] if missing else []
    return ", ".join([f"{count.drawn} of {count.asked}", *others])
