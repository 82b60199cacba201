"""The tables of sections 3 and 4, from the values in results/.

python experiments/miniature_validity/tables.py
"""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

RESULTS = Path(__file__).parent / "results"
T = 2.571  # Student's, two-sided 95%, for six subjects

Values = Mapping[str, Mapping[str, float]]  # row of a table -> subject -> mean over seeds


def main() -> None:
    for score in ("dino", "clip_i", "clip_t", "overfit"):
        steps = by_row(RESULTS / "steps" / "curves.csv", "step", score)
        show(f"steps, {score}", steps, [("150", "900"), ("300", "900")])
    for score in ("dino", "clip_i"):
        nouns = by_row(RESULTS / "noun" / "scores.csv", "noun", score)
        show(f"noun, {score}", nouns, [("right", "wrong"), ("right", "missing")])


def by_row(file: Path, key: str, score: str) -> Values:
    seeds: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with file.open(encoding="utf-8", newline="") as lines:
        for line in csv.DictReader(lines):
            seeds[line[key]][line["subject"]].append(float(line[score]))
    return {row: {subject: mean(several) for subject, several in own.items()} for row, own in seeds.items()}


def show(title: str, values: Values, pairs: Sequence[tuple[str, str]]) -> None:
    print(f"{title}: " + ", ".join(f"{row} {mean(own.values()):.3f}" for row, own in values.items()))
    for first, second in pairs:
        changes = [values[second][subject] - values[first][subject] for subject in values[first]]
        half = T * stdev(changes) / len(changes) ** 0.5
        print(f"  {first} to {second}: {mean(changes):+.3f} [{mean(changes) - half:.3f}, {mean(changes) + half:.3f}]")


if __name__ == "__main__":
    main()
