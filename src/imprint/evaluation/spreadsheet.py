"""A sheet's numbers for spreadsheets: one line a value."""

import csv
import io
from pathlib import Path

from imprint.evaluation.sheet import ScoreSheet
from imprint.files import write_text

COLUMNS = ("run", "subject", "profile", "row", "metric", "set", "category", "number", "k", "prompt", "value")


def write_csv(sheet: ScoreSheet, file: Path) -> None:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    for row, metrics in sheet.rows.items():
        for name, scored in metrics.items():
            for value in scored.values:
                prompt, category = "", ""
                if value.number is not None and row != "real":
                    prompt, category = sheet.prompts[value.set][value.number]
                told = (sheet.run, sheet.subject, sheet.profile, row, name, value.set, category)
                lines.writerow([*told, value.number, value.k, prompt, value.value])
    write_text(file, text.getvalue())
