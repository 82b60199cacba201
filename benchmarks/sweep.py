"""How long a whole grid takes: its points side by side, in turn in one process, and as a process each.

    python benchmarks/sweep.py
    python benchmarks/sweep.py --method textual_inversion --points 12 --steps 50
    python benchmarks/sweep.py --size mid --steps 30 --rounds 1

Whole programs, from launch to saved results, in alternation. Points differ in seed and rate, as in a search.
"""

import argparse
import datetime
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from layouts import LAYOUTS

RESULTS = Path(__file__).parent / "results"
RATES = 3  # the others differ in seed
SIDES = ("side by side", "in turn", "a process each")
METHODS = ("lora", "textual_inversion", "pivotal", "dreambooth")


class Taken(NamedTuple):
    """By one side, for the whole grid. CPU seconds hold on a busy machine better than those of a clock."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int  # of its largest process


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    from models import model_of
    from record import circumstances, load

    os.environ["OMP_NUM_THREADS"] = str(given.threads)
    before = load()
    taken: dict[str, list[Taken]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as name:
        model, weights = model_of(given.size, Path(name) / "model")
        for number in range(given.rounds):
            for side in SIDES:
                outputs = Path(name) / f"{number}-{side.replace(' ', '-')}"
                taken[side].append(_take(_commands(side, given, model, outputs)))
                assert len(list(outputs.glob("*/result"))) == given.points, f"{side}: not all points are finished"
    result = {
        "date": datetime.date.today().isoformat(),
        "command": _command(given),
        "note": given.note,
        "weights": weights,
        "load": [before, load()],
        "circumstances": circumstances(),
        "sides": {side: [each._asdict() for each in rounds] for side, rounds in taken.items()},
        "times_as_fast": {side: _ratios(taken[SIDES[0]], rounds) for side, rounds in taken.items()},
    }
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / f"{result['date']}-sweep-{given.size}-{given.method}.json"
    file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(f"{_table(taken)}\n{file}")


def _commands(side: str, given: argparse.Namespace, model: Path, outputs: Path) -> list[list[str]]:
    base = [sys.executable, "-m", "imprint.cli", "train"]
    settings = [
        "model=sd",
        f"model.source={model}",
        f"model.resolution={LAYOUTS[given.size].resolution}",
        "dataset=mini/dog6",
        # a vocabulary of letters has no rare word to choose
        f"dataset.identifier={'sks' if given.method in ('lora', 'dreambooth') else 'auto'}",
        f"method={given.method}",
        f"hparams.steps={given.steps}",
        f"hparams.batch_size={given.batch_size}",
        "samples=none",
        "report=local",
        "report.progress=off",
        f"outputs={outputs}",
        *given.overrides,
    ]
    points = [
        (f"seed={index // RATES}", f"{_rate(given.method)}={(index % RATES + 1) * 1e-4:g}")
        for index in range(given.points)
    ]
    if side == "a process each":
        return [[*base, *settings, *point] for point in points]
    listed = ",".join(f'"{seed} {rate}"' for seed, rate in points)
    launcher = "stacked" if side == "side by side" else "basic"
    return [[*base, "-m", *settings, f"hydra/launcher={launcher}", f"hydra.sweeper.points=[{listed}]"]]


def _rate(method: str) -> str:
    return "method.network.lr" if method == "pivotal" else "method.lr"


def _take(commands: Sequence[Sequence[str]]) -> Taken:
    seconds, cpu, peak = 0.0, 0.0, 0
    for command in commands:
        began = os.times()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        said = process.stderr.read().decode()
        _, status, used = os.wait4(process.pid, 0)
        assert status == 0, said
        seconds += os.times().elapsed - began.elapsed
        cpu += used.ru_utime + used.ru_stime
        peak = max(peak, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
    return Taken(round(seconds, 3), round(cpu, 3), peak)


def _ratios(own: Sequence[Taken], other: Sequence[Taken]) -> dict[str, float]:
    """Medians of the rounds' ratios; above 1, side by side is faster."""
    pairs = list(zip(own, other, strict=True))
    return {
        "seconds": statistics.median(theirs.seconds / mine.seconds for mine, theirs in pairs),
        "cpu_seconds": statistics.median(theirs.cpu_seconds / mine.cpu_seconds for mine, theirs in pairs),
    }


def _table(taken: dict[str, list[Taken]]) -> str:
    rows = ["| points are trained | seconds | CPU seconds | times as long (CPU) | peak MB |", "|---|---|---|---|---|"]
    for side, rounds in taken.items():
        ratios = _ratios(taken[SIDES[0]], rounds)
        seconds, cpu = (statistics.median(getattr(each, key) for each in rounds) for key in ("seconds", "cpu_seconds"))
        peak = max(each.peak_bytes for each in rounds)
        rows.append(
            f"| {side} | {seconds:.1f} | {cpu:.1f} | {ratios['seconds']:.2f} ({ratios['cpu_seconds']:.2f}) "
            f"| {peak / 1e6:.0f} |"
        )
    return "\n".join(rows)


def _command(given: argparse.Namespace) -> str:
    names = ("size", "method", "points", "steps", "batch_size", "rounds", "threads")
    options = [f"--{name.replace('_', '-')}={getattr(given, name)}" for name in names]
    return shlex.join(["python", "benchmarks/sweep.py", *options, *given.overrides])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=LAYOUTS, default="mini", help="of the model (%(default)s)")
    parser.add_argument("--method", choices=METHODS, default="lora", help="(%(default)s)")
    parser.add_argument("--points", type=int, default=12, help="of the grid (%(default)s)")
    parser.add_argument("--steps", type=int, default=50, help="of each point (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of each process (%(default)s)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the result (benchmarks/results)")
    parser.add_argument("--note", default="", help="what a reader of the result should know")
    parser.add_argument("overrides", nargs="*", help="more settings of all points")
    return parser


if __name__ == "__main__":
    main()
