"""A score sheet in the terminal."""

import io
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from imprint.evaluation.sheet import PictureCount, ScoreSheet

ROWS = {
    "tuned": "the run's model",
    "untuned": "the untuned model",
    "prompt_only": "the untuned model, without an identifier",
    "real": "the photos themselves",
    "copies": "photos trained on, repeated",
}
WIDTH = 120


def score_table(sheet: ScoreSheet) -> str:
    """Rows by metrics, with the pictures that each row counts, and what makes the numbers comparable."""
    table = Table(title=f"{sheet.run}: {sheet.subject} ({sheet.noun}), profile {sheet.profile}", title_justify="left")
    table.add_column("row")
    table.add_column("pictures")
    for facts in sheet.metrics.values():
        arrow = {"higher": " ↑", "lower": " ↓", "neither": ""}[facts.better]
        table.add_column(f"{facts.title}{arrow}", justify="right")
    for row, told in ROWS.items():
        if row in sheet.rows:
            scores = sheet.rows[row]
            means = [f"{scores[name].mean:.3f}" if name in scores else "–" for name in sheet.metrics]
            table.add_row(f"{row} ({told})", _counted(sheet.pictures[row]), *means)
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, highlight=False)
    console.print(table)
    for line in _meaning(sheet):
        console.print(line, markup=False, soft_wrap=True)
    return out.getvalue().rstrip()


def _counted(count: PictureCount) -> str:
    missing = count.asked - count.drawn - count.failed - count.blank
    others = [f"{number} {kind}" for number, kind in ((count.failed, "failed"), (count.blank, "blank")) if number]
    others += [f"{missing} missing"] if missing else []
    return ", ".join([f"{count.drawn} of {count.asked}", *others])


def _meaning(sheet: ScoreSheet) -> Iterator[str]:
    for facts in sheet.metrics.values():
        judges = ", ".join(encoder["name"] for encoder in facts.encoders.values())
        yield f"{facts.title}: {judges or 'no encoder'}; fingerprint {facts.fingerprint}"
    yield from (f"Note: {note}" for note in sheet.notes)
