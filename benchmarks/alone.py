"""A few steps of one side in a process of its own, to see the memory that it takes. Prints bytes.

`python alone.py plain|imprint`, with the side's settings as JSON on the standard input.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

import torch

STEPS = 3  # the optimiser's state is there after the first


def run_plain(settings: dict[str, Any]) -> None:
    from plain_loop import PlainLoop, PlainSettings

    loop = PlainLoop(PlainSettings(**settings))
    for _ in range(STEPS):
        loop.step()


def run_imprint(settings: dict[str, Any]) -> None:
    from imprint.quiet import quiet_libraries

    quiet_libraries()
    from imprint_loop import take_turns
    from omegaconf import OmegaConf

    take_turns(OmegaConf.create(settings), steps=STEPS, rounds=1, other=lambda: None)


def peak_bytes() -> int:
    """Of the GPU if it was used, else of the process."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says here includes the process that started this one
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    threads, given = json.load(sys.stdin)
    torch.set_num_threads(threads)
    {"plain": run_plain, "imprint": run_imprint}[sys.argv[1]](given)
    print(peak_bytes())
