"""Programs, one after another, and what they took."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from watched import SINCE

Clock = Literal["cpu", "wall"]
WATCHED = Path(__file__).with_name("watched.py")


@dataclass(frozen=True, kw_only=True)
class Taken:
    """By one program. CPU seconds are of all its processes, and hold on a busy machine better than the clock's."""

    seconds: float
    cpu_seconds: float
    updates: Sequence[
        tuple[float, float]
    ]  # of its own process: seconds since its beginning, by the clock and of the CPU
    peak_bytes: int  # of the GPU if it was used, else of the process
    gpu_updates: Sequence[float] = ()  # when the GPU had done each, in seconds since the first

    def whole(self, clock: Clock) -> float:
        return self.cpu_seconds if clock == "cpu" else self.seconds

    def start(self, clock: Clock) -> float:
        """From launch until the first update is done."""
        return self.at(0, clock)

    def step(self, clock: Clock) -> float:
        """Mean of the later half of the steps, from one update to the next, with all that happens in between."""
        half = len(self.updates) // 2
        assert half > 0, "a step is measured from two updates on"
        if clock == "wall" and len(self.gpu_updates) == len(self.updates):
            return (self.gpu_updates[-1] - self.gpu_updates[half - 1]) / (len(self.updates) - half)
        return (self.at(-1, clock) - self.at(half - 1, clock)) / (len(self.updates) - half)

    def at(self, update: int, clock: Clock) -> float:
        return self.updates[update][1 if clock == "cpu" else 0]


def run(program: Sequence[str], scratch: Path, *, threads: int) -> Taken:
    """`program` is what `watched.py` takes. Raises RuntimeError with its last words if it fails."""
    report = scratch / "report.json"
    report.unlink(missing_ok=True)
    words = scratch / "words.txt"
    began = time.time()
    environment = {
        **os.environ,
        SINCE: repr(began),
        "OMP_NUM_THREADS": str(threads),
        "IMPRINT_CACHE": str(scratch / "cache"),  # nothing is there that an earlier round kept
        "HF_HUB_OFFLINE": "1",
        "WANDB_MODE": "disabled",
    }
    with words.open("wb") as file:
        command = [sys.executable, str(WATCHED), str(report), *program]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment, cwd=scratch)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.time() - began
    if process.returncode != 0 or not report.is_file():
        raise RuntimeError(f"{' '.join(program)}\nended with {process.returncode}:\n{_end_of(words)}")
    told = json.loads(report.read_text(encoding="utf-8"))
    return Taken(
        seconds=seconds,
        cpu_seconds=used.ru_utime + used.ru_stime,
        updates=[(at, cpu) for at, cpu in told["updates"]],
        peak_bytes=told["gpu_peak_bytes"] or told["peak_bytes"],
        gpu_updates=told["gpu_updates"],
    )


def _end_of(words: Path) -> str:
    return "\n".join(words.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
