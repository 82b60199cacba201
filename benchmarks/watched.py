"""A program of its own, watched without a change to it: another's script, or imprint.

    python watched.py REPORT path/to/script.py [its arguments]
    python watched.py REPORT imprint [its arguments]

REPORT becomes a JSON file: for every update of an optimiser the seconds since the process began, by the clock and of
the CPU, and the most memory that the process took. torch itself calls us after each update, on either side. A GPU is
not waited for: events in its queue say afterwards when it had come so far.
"""

import atexit
import json
import os
import runpy
import sys
import time
from pathlib import Path
from typing import Any

SINCE = "WATCHED_SINCE"  # who starts the process says when, in seconds


def main(report: Path, program: str, arguments: list[str]) -> None:
    _watch(report)
    if program == "imprint":
        sys.argv = [program, *arguments]
        runpy.run_module("imprint.cli", run_name="__main__", alter_sys=True)
        return
    sys.argv = [program, *arguments]
    sys.path[0] = str(Path(program).parent)  # as for a script that is started by itself
    runpy.run_path(program, run_name="__main__")


def peak_bytes() -> int:
    """Of this process. What getrusage says includes, on Linux, the process that started it."""
    status = Path("/proc/self/status")
    if status.is_file():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _watch(report: Path) -> None:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    since = float(os.environ.get(SINCE, time.time()))
    updates: list[tuple[float, float]] = []
    events: list[Any] = []

    def note(*_: Any) -> None:
        updates.append((time.time() - since, time.process_time()))
        if (event := _gpu_event()) is not None:
            events.append(event)

    def tell() -> None:
        told = {
            "updates": updates,
            "gpu_updates": _gpu_seconds(events),
            "peak_bytes": peak_bytes(),
            "gpu_peak_bytes": _gpu_peak_bytes(),
        }
        report.write_text(json.dumps(told), encoding="utf-8")

    register_optimizer_step_post_hook(note)
    atexit.register(tell)


def _gpu_event() -> Any:
    import torch

    if not torch.cuda.is_initialized():
        return None
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def _gpu_seconds(events: list[Any]) -> list[float]:
    """Of each since the first."""
    if events:
        events[-1].synchronize()
    return [events[0].elapsed_time(event) / 1000 for event in events]


def _gpu_peak_bytes() -> int:
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2], sys.argv[3:])
