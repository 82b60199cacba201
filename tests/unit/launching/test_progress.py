"""What is said of a sweep's points while they are at work."""

import io
import logging
import re
import sys
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from imprint.launching.plan import PlannedPoint
from imprint.launching.progress import LiveDisplay, LogLines, Share
from imprint.launching.status import Status

MOVES = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


def a_point() -> PlannedPoint:
    parts = SimpleNamespace(sweep=SimpleNamespace(objectives=[]), hparams=SimpleNamespace(steps=4))
    return cast(PlannedPoint, SimpleNamespace(name="a", label="seed=0", plan=SimpleNamespace(parts=parts)))


def screen(written: str) -> list[str]:
    """What a terminal shows in the end, of what moves up, erases lines and has colours."""
    lines, row, column = [""], 0, 0
    for move in MOVES.finditer(written):
        text, (count, command) = move[0], (move[1], move[2])
        if text == "\r":
            column = 0
        elif text == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
            column = 0
        elif command == "A":
            row -= int(count or 1)
        elif command == "K":
            lines[row] = ""
        elif command is None:
            before = lines[row].ljust(column)
            lines[row] = before[:column] + text + before[column + len(text) :]
            column += len(text)
    return [line.rstrip() for line in lines if line.strip()]


def test_trials_are_counted_among_all_of_the_search(caplog: pytest.LogCaptureFixture) -> None:
    point = a_point()
    lines = LogLines([point], Share(before=2, total=30))
    with caplog.at_level(logging.INFO):
        lines.update({"a": Status("done", 1.0, {"dino": 0.5}, 3.0)}, [point])
    assert caplog.messages == ["[3/30] seed=0: done in 3 s. dino 0.500", "27 left."]


def test_the_live_display_loses_no_line_of_the_log_and_leaves_none_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    root, handler = logging.getLogger(), logging.StreamHandler(terminal)
    root.addHandler(handler)
    try:
        display = LiveDisplay(
            [a_point()], Share(before=1, total=3), Console(file=terminal, force_terminal=True, width=60)
        )
        for step in range(4):
            display.update({"a": Status("training", step / 4)}, [])
            display._live.refresh()  # as it does by itself, four times a second
            logging.getLogger("imprint").warning("line %d", step)
        display.update({"a": Status("done", 1.0)}, [])
        display.close()
        logging.getLogger("imprint").warning("the end")
    finally:
        root.removeHandler(handler)
    shown = screen(terminal.getvalue())
    assert [line for line in shown if line.startswith("line")] == [f"line {step}" for step in range(4)]
    assert len([line for line in shown if "of 3 done" in line]) == 1
    assert shown[-1] == "the end"
    assert handler.stream is terminal
