"""Completion in real shells: TAB is pressed in a terminal of their own."""

import os
import pty
import select
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SECONDS = 60
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(imprint completion bash)"'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -u -d "$PWD/dump"; eval "$(imprint completion zsh)"'),
    "fish": (["fish", "--no-config", "-i"], "imprint completion fish | source"),
}


class Terminal:
    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.process, self.place = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)

    def type(self, keys: str) -> None:
        os.write(self.place, keys.encode())

    def shows(self, text: str) -> str:
        """What is shown up to `text`. Fails if it does not come."""
        shown, end = "", time.monotonic() + SECONDS
        while text not in shown:
            if time.monotonic() > end:
                pytest.fail(f"{text!r} was not shown, but {shown!r}")
            ready, _, _ = select.select([self.place], [], [], 0.2)
            if ready:
                shown += os.read(self.place, 65536).decode(errors="replace")
                if "\x1b[c" in shown or "\x1b[0c" in shown:  # fish asks the terminal what it is
                    self.type("\x1b[?62;c")
                    shown = shown.replace("\x1b[c", "").replace("\x1b[0c", "")
        return shown

    def close(self) -> None:
        os.close(self.place)
        os.waitpid(self.process, 0)


@pytest.fixture(params=sorted(START))
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "imprint"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m imprint "$@"\n')
    program.chmod(0o755)
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "TERM": "dumb", "HOME": str(tmp_path)}
    opened = Terminal(START[shell][0], environment, tmp_path)
    opened.type(f"{START[shell][1]}; echo READ''Y\r")
    opened.shows("READY\r")
    yield opened
    opened.close()


@pytest.mark.slow
def test_a_choice_is_completed(terminal: Terminal) -> None:
    terminal.type("imprint train method=dre\t")
    terminal.shows("ambooth")  # with a space, where a next word begins
    terminal.type("hparams.ste\t")
    terminal.shows("ps=")
