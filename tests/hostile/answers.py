"""What is asked of every answer to bad input."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hostile.watching import nothing_runs

from imprint.errors import UserError
from imprint.messages import MAX_LINES

T = TypeVar("T")

# What moves a terminal's cursor, turns the direction of writing, or has no encoding.
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LONGEST = 4000  # characters of a message about one thing


@contextmanager
def folder_in(ground: Path) -> Iterator[Path]:
    """A folder of one example, outside of which nothing may change."""
    with TemporaryDirectory(dir=ground) as name, nothing_runs(Path(name)):
        yield Path(name)


def answer(call: Callable[[], T], *names: str, error: type[Exception] = UserError, lines: int = 1) -> T | None:
    """What `call` returns; None where it refuses with one message, which names each of `names`.

    Any other exception is a fault. `lines`: of things that may be wrong at once.
    """
    try:
        return call()
    except error as refusal:
        check_message(str(refusal), *names, lines=lines)
        return None


def check_message(text: str, *names: str, lines: int = 1) -> None:
    assert text.strip()
    assert len(text) <= LONGEST * lines
    assert text.count("\n") <= min(3 + lines, MAX_LINES)
    for line in text.split("\n"):
        assert line.isprintable(), repr(line)
    for name in names:
        assert name in text


def refused(call: Callable[[], Any], *names: str, error: type[Exception] = UserError, lines: int = 1) -> str:
    """The message."""
    try:
        result = call()
    except error as refusal:
        check_message(str(refusal), *names, lines=lines)
        return str(refusal)
    raise AssertionError(f"taken: {result!r}")
