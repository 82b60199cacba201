"""`imprint train` as a program of its own, whose children find the tests' modules."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from imprint.runs import Run

HERE = Path(__file__).parent
PROGRAM = ["-m", "imprint.cli", "train"]
# A cheap evaluation: two prompts, a picture of each.
SCORED = [
    "evaluation=quick",
    "+encoders@model.encoders=mini",
    "evaluation.pictures.subject.images=1",
    "evaluation.pictures.subject.numbers=[0,1]",
]


def train(*arguments: str, environment: Mapping[str, str] | None = None, program: Sequence[str] = PROGRAM) -> str:
    """What a successful one says."""
    done = started(*arguments, environment=environment, program=program)
    assert done.returncode == 0, done.stderr
    return done.stderr


def started(
    *arguments: str, environment: Mapping[str, str] | None = None, program: Sequence[str] = PROGRAM
) -> subprocess.CompletedProcess[str]:
    """`environment` is added to that of the tests; what is empty in it is taken away."""
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    whole = {**os.environ, **(environment or {}), "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in whole.items() if value},
        timeout=400,
    )


def runs(outputs: Path) -> list[Run]:
    return [Run.open(file.parent) for file in sorted(outputs.glob("*/manifest.json"))]
