"""A program's parts: imported quietly, with little search for garbage, for a processor that computes fast."""

import gc
import sys
from importlib import import_module
from types import ModuleType

from imprint.quiet import quiet_libraries

YOUNG = 30_000  # new objects between two searches among them
NEVER = 1_000_000  # searches among the young before older objects are searched, too


def imported(name: str) -> ModuleType:
    """For programs alone, since it is about the whole process: with all that it brings along, and faster than `import`.

    A training's imports make half a million objects that live as long as the program. Only among the newest is there
    garbage to be found, but every full search, while they are made, later, or at the end, would look at all of them.
    """
    if name in sys.modules:  # what is frozen must not hold what a point of a sweep has left behind
        return sys.modules[name]
    before = gc.get_threshold()
    gc.set_threshold(YOUNG, NEVER, NEVER)
    try:
        quiet_libraries()
        module = import_module(name)
        _compute_without_denormals()
        return module
    finally:
        gc.freeze()
        gc.set_threshold(*before)


def _compute_without_denormals() -> None:
    """Numbers below 1e-38, of which a sharp attention's gradient is full, cost a processor a hundred times as much as
    others. They become zero, in this thread and in those that it starts."""
    if "torch" in sys.modules:
        import torch

        torch.set_flush_denormal(True)
