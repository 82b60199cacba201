"""What a command says before it imports a library that takes seconds: nothing else comes until that is done."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from imprint.process_folder import OF_PARENT

SLOW = {"torch": "PyTorch and what builds on it", "matplotlib": "what draws figures"}  # and what they are called
_speaker: ContextVar[str | None] = ContextVar("speaker", default=None)  # a program of somebody else's says nothing


@contextmanager
def speaking_as(speaker: str) -> Iterator[None]:
    """Within, `announcing` speaks, in the first process of a run on several devices."""
    is_first = OF_PARENT not in os.environ and os.environ.get("LOCAL_RANK", "0") == "0"
    before = _speaker.set(speaker if is_first else None)
    try:
        yield
    finally:
        _speaker.reset(before)


def say(phase: str) -> None:
    """A line on the error output, where somebody speaks."""
    if speaker := _speaker.get():
        print(f"{speaker}: {phase} ...", file=sys.stderr, flush=True)


@contextmanager
def announcing() -> Iterator[None]:
    """Within, the first import of a slow library is told of before it begins, on the error output. A terminal is left
    as it was."""
    if (speaker := _speaker.get()) is None or SLOW.keys() <= sys.modules.keys():
        yield
        return
    notice = _Notice(speaker)
    sys.meta_path.insert(0, notice)
    try:
        yield
    finally:
        notice.end()


class _Notice(MetaPathFinder):
    """Finds no module: it is asked for each that is about to be imported."""

    def __init__(self, speaker: str) -> None:
        self._speaker = speaker
        self._shown = ""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in SLOW and not self._shown:
            self._shown = f"{self._speaker}: loading {SLOW[name]} ..."
            print(self._shown, end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)
        return None

    def end(self) -> None:
        sys.meta_path.remove(self)
        if self._shown and sys.stderr.isatty():
            print(f"\r{' ' * len(self._shown)}\r", end="", file=sys.stderr, flush=True)
