"""imprint's runs, in this process or in one of their own."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sides import own
from task import Material, Task


class Trained(NamedTuple):
    losses: Sequence[float]  # of each step
    result: Path


def overrides(task: Task, material: Material, outputs: Path, *more: str) -> list[str]:
    [[_, _, *settings]] = own.programs([task], material, outputs, *more)
    return settings


def train(settings: Sequence[str]) -> Trained:
    """In this process, from nothing."""
    from imprint.config import compose
    from imprint.verbs.train import train as trained

    cfg = compose("train", [*settings, "report.progress=off"])
    shutil.rmtree(cfg.outputs, ignore_errors=True)
    run = trained(cfg)
    return Trained(losses_of(run.folder), run.result)


def losses_of(run: Path) -> list[float]:
    from imprint.reporting.metrics_file import read_metrics

    return [loss for loss in read_metrics(run / "metrics.csv")["loss"] if loss is not None]


def said_by(program: Sequence[str], folder: Path, seconds: float) -> tuple[str, float]:
    """What a program of Python printed, and the seconds it took. Raises RuntimeError where it fails or is too slow."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.time()
    try:
        done = subprocess.run(
            [sys.executable, *program],
            capture_output=True,
            text=True,
            check=False,
            timeout=max(5.0, seconds),
            cwd=folder,
            env=dict(os.environ),
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"it was not done after {seconds:.0f} s") from None
    said = done.stdout + done.stderr
    if done.returncode != 0:
        raise RuntimeError(f"ended with {done.returncode}: {said[-1200:]}")
    return said, time.time() - began
