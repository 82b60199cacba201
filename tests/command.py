"""A verb as it is typed, run in this process: what it said and what it left behind."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from hydra.core.global_hydra import GlobalHydra

from imprint.cli import run


class Said(NamedTuple):
    code: int
    text: str  # of both streams


Typed = Callable[..., Said]


def typed_with(capfd: pytest.CaptureFixture[str]) -> Typed:
    """`typed("train", "-m", "seed=0,1")`."""

    def typed(verb: str, *arguments: str) -> Said:
        capfd.readouterr()
        with _as_it_was():
            code = run(verb, list(arguments))
        said = capfd.readouterr()
        return Said(code, said.out + said.err)

    return typed


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Hydra changes the arguments and the logging of the process."""
    root, arguments = logging.getLogger(), sys.argv
    handlers, level = root.handlers[:], root.level
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().clear()
        sys.argv = arguments
        root.handlers[:], root.level = handlers, level
