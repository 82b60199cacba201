"""imprint, with torch telling of every wait for the GPU between two updates of an optimiser.

    python waits.py REPORT FIRST LAST [arguments of imprint]

REPORT becomes a JSON file: how many updates there were, and where a wait came from how often. Updates of all points of
a sweep are counted together; FIRST and LAST are of these.
"""

import atexit
import json
import runpy
import sys
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

TOLD = "called a synchronizing"  # how torch's message begins
FRAMES = 4  # of a place, the innermost first
OWN = "waits.py"


def main(report: Path, first: int, last: int, arguments: list[str]) -> None:
    updates = 0
    places: Counter[str] = Counter()

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
        if TOLD in str(message):
            places[_place()] += 1
        else:
            sys.stderr.write(f"{filename}:{lineno}: {category.__name__}: {message}\n")

    def count(*_: Any) -> None:
        nonlocal updates
        updates += 1
        if torch.cuda.is_available() and updates == first:
            warnings.filterwarnings("always", message=f".*{TOLD}")
            warnings.showwarning = show  # type: ignore[assignment]
            torch.cuda.set_sync_debug_mode("warn")
        if torch.cuda.is_available() and updates == last:
            torch.cuda.set_sync_debug_mode("default")

    def tell() -> None:
        told = {"updates": updates, "waits": sum(places.values()), "places": dict(places.most_common(8))}
        report.write_text(json.dumps(told), encoding="utf-8")

    register_optimizer_step_post_hook(count)
    atexit.register(tell)
    sys.argv = ["imprint", *arguments]
    runpy.run_module("imprint.cli", run_name="__main__", alter_sys=True)


def _place() -> str:
    """Files and lines that led here, of this thread, the innermost first."""
    frames = [frame for frame in traceback.extract_stack() if not frame.filename.endswith((OWN, "warnings.py"))]
    return " < ".join(
        f"{'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}" for frame in frames[: -FRAMES - 1 : -1]
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
