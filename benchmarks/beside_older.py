"""imprint beside an older state of itself, in turns on one machine: whether a step has become slower.

    git worktree add ../older 8bb4653
    python benchmarks/beside_older.py ../older/src mid lora --steps=20 --rounds=3

Prints medians of CPU seconds and memory, and of the rounds' ratios of this to the older one.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

import programs
from material import prepare
from sides import own
from task import RATES, Material, Task

QUANTITIES = ("a step, ms", "start, s", "whole, s", "peak, MB")


def main(given: argparse.Namespace) -> None:
    task = Task(method=given.method, steps=given.steps, lr=RATES[given.method])
    sides = {"older": given.older.resolve(), "this": Path(__file__).resolve().parents[1] / "src"}
    found: dict[str, list[list[float]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as name:
        material = prepare(given.size, Path(name) / "material")
        for number in range(given.rounds):
            for side in sides if number % 2 == 0 else reversed(sides):
                found[side].append(_taken(task, material, sides[side], Path(name)))
    for side, rounds in found.items():
        medians = map(statistics.median, zip(*rounds, strict=True))
        print(side, *(f"{title} {value:.4g}" for title, value in zip(QUANTITIES, medians, strict=True)), sep="; ")
    for index, title in enumerate(QUANTITIES):
        ratios = [this[index] / older[index] for this, older in zip(found["this"], found["older"], strict=True)]
        print(f"{title}: {statistics.median(ratios):.3f} of the older")


def _taken(task: Task, material: Material, source: Path, folder: Path) -> list[float]:
    os.environ["PYTHONPATH"] = str(source)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        [program] = own.programs([task], material, Path(scratch) / "outputs")
        done = programs.run(program, Path(scratch), threads=1)
    return [1000 * done.step("cpu"), done.start("cpu"), done.cpu_seconds, done.peak_bytes / 1e6]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("older", type=Path, help="src of an older checkout")
    parser.add_argument("size")
    parser.add_argument("method", choices=list(RATES))
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    main(parser.parse_args())
