"""What changes between the miniature that predicts noise and the one that was taught as a flow, subject by subject.

python experiments/flow_matching/compare.py
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev

HERE = Path(__file__).parent
NOISE = HERE.parent / "miniature_validity" / "results" / "order" / "scoreboard.csv"
FLOW = HERE / "results" / "scoreboard.csv"
T = 2.571  # Student's, two-sided 95%, for six subjects

Means = Mapping[tuple[str, str, str], float]  # (entry, metric, subject) -> mean over prompts and seeds


def main() -> None:
    noise, flow = means(NOISE), means(FLOW)
    subjects = sorted({subject for _, _, subject in flow})
    for metric in ("dino", "clip_i", "clip_t", "pres"):
        for method in ("textual inversion", "lora", "dreambooth"):
            before, after = ([own[method, metric, subject] for subject in subjects] for own in (noise, flow))
            changes = [b - a for a, b in zip(before, after, strict=True)]
            half = T * stdev(changes) / len(changes) ** 0.5
            interval = f"{mean(changes):+.3f} [{mean(changes) - half:+.3f}, {mean(changes) + half:+.3f}]"
            print(f"{metric}, {method}: {mean(before):.3f} to {mean(after):.3f}, {interval}")


def means(file: Path) -> Means:
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["statistic"] == "mean" and row["subject"]]
    return {(row["entry"], row["metric"], row["subject"]): float(row["value"]) for row in rows if not row["category"]}


if __name__ == "__main__":
    main()
