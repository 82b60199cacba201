"""Runs that two processes train, which are started once for all of them: `python -m two_processes COMMANDS.json`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


class Stopped(Exception):
    """Stands for a crash."""


def train_on_two(
    commands: Sequence[Sequence[str]], folder: Path, *, timeout: float, stop_at: int | None = None
) -> None:
    """Each is what `imprint train` is given. With `stop_at`, each crashes in the step after that one."""
    file = folder / "commands.json"
    file.write_text(json.dumps([[list(command) for command in commands], stop_at]), encoding="utf-8")
    run_on_two(["-m", "two_processes", str(file)], timeout=timeout)


def run_on_two(program: Sequence[str], *, timeout: float) -> None:
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, *TORCHRUN, *program],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr


def stopping_at(step: int) -> Callable[..., None]:
    """In place of a callback's method."""

    def stop(self: Any, trainer: Any, *_: Any) -> None:
        if trainer.global_step == step:
            raise Stopped

    return stop


def _main() -> None:
    import torch
    from composed import compose

    from imprint.training.callbacks import FiniteLoss
    from imprint.verbs.train import train

    torch.set_num_threads(1)
    commands, stop_at = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if stop_at is not None:
        FiniteLoss.on_before_backward = stopping_at(stop_at)  # type: ignore[method-assign]
    for command in commands:
        with suppress(Stopped):
            train(compose("train", command))


if __name__ == "__main__":
    _main()
