"""Runs that two processes train, which are started once for all of them: `python -m two_processes COMMANDS.json`."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


def train_on_two(commands: Sequence[Sequence[str]], folder: Path, *, timeout: float) -> None:
    """Each is what `imprint train` is given."""
    file = folder / "commands.json"
    file.write_text(json.dumps([list(command) for command in commands]), encoding="utf-8")
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


def _main() -> None:
    import torch
    from composed import compose

    from imprint.verbs.train import train

    torch.set_num_threads(1)
    for command in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")):
        train(compose("train", command))


if __name__ == "__main__":
    _main()
