"""The means of each run's newest score sheet, and of the untuned model, as a table.

python experiments/rate_and_steps/collect.py outputs/six experiments/rate_and_steps/results/six_subjects.csv
"""

import csv
import sys
from pathlib import Path

from imprint.evaluation.score_sheet import ScoreSheet

METRICS = ("dino", "clip_i", "clip_t", "pres", "class", "place", "attribute", "individual")
COLUMNS = ("subject", "seed", "rate", "steps", "row", *METRICS)


def main(folder: str, file: str) -> None:
    rows: dict[tuple[object, ...], list[float]] = {}
    for scores in sorted(Path(folder).glob("*/scores")):
        sheet = ScoreSheet.read(max(scores.glob("*.json"), key=lambda one: one.stat().st_mtime))
        rate, steps = sheet.settings["method.lr"], sheet.settings["hparams.steps"]
        rows[sheet.subject, sheet.seed, rate, steps, "tuned"] = means(sheet, "tuned")
        rows[sheet.subject, "", "", "", "untuned"] = means(sheet, "untuned")
    with Path(file).open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([*key, *numbers] for key, numbers in sorted(rows.items(), key=lambda row: str(row[0])))


def means(sheet: ScoreSheet, row: str) -> list[float]:
    return [round(sheet.rows[row][metric].mean, 4) for metric in METRICS]


if __name__ == "__main__":
    main(*sys.argv[1:])
