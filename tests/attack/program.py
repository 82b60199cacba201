"""Starts the program, finds its processes, kills one."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

MARK = "IMPRINT_ATTACK"  # in the environment of all processes that a program starts
PATIENCE = 10.0  # seconds after which a process that should have ended is said to live on
LONGEST = 600.0  # seconds of a program


class Program:
    """`imprint train` with these arguments. It is a fork of this process, which has the libraries in memory already, so
    that an attack takes seconds; with `afresh` a new interpreter."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        afresh: bool = False,
        largest_file: int | None = None,
    ) -> None:
        self._mark = environment[MARK]
        self.log = log
        self._code: int | None = None
        whole = {**os.environ, **environment}
        with log.open("ab") as output:
            if afresh:
                command = [sys.executable, "-m", "imprint.cli", "train", *arguments]
                self._started = subprocess.Popen(command, env=whole, stdout=output, stderr=output)
                self.pid = self._started.pid
                return
            self.pid = os.fork()
            if self.pid == 0:
                _become(arguments, environment, output.fileno(), largest_file)

    def is_alive(self) -> bool:
        if self._code is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code is None

    def wait(self) -> int:
        """Its exit code."""
        end = time.monotonic() + LONGEST
        while self.is_alive():
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.01)
        assert self._code is not None
        return self._code

    def kill(self, chance: random.Random | None) -> str:
        """Kills it or, by chance, one of its descendants. Which it was."""
        others = sorted(set(self._others()))
        if chance and others and chance.random() < 0.5:
            victim = chance.choice(others)
            name = _name(victim)
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            return name
        os.kill(self.pid, signal.SIGKILL)
        self.wait()
        return "the program"

    def left(self) -> int:
        """How many of its processes live on, some seconds after its end. They are ended."""
        end = time.monotonic() + PATIENCE
        while others := list(self._others()):
            if time.monotonic() > end:
                for process in others:
                    with suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                return len(others)
            time.sleep(0.1)
        return 0

    def _others(self) -> Iterator[int]:
        """Whoever started them: their environment names this program."""
        mark = f"{MARK}={self._mark}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if int(folder.name) != self.pid and mark in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)


def _become(arguments: Sequence[str], environment: Mapping[str, str], output: int, largest_file: int | None) -> None:
    """In the fork: what `python -m imprint.cli train` does."""
    code = 1
    try:
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ.update(environment)
        import tempfile

        tempfile.tempdir = None  # it may have been looked up
        main = sys.modules["__main__"]
        main.__spec__, main.__file__ = find_spec("imprint.cli"), sys.modules["imprint.cli"].__file__
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        from imprint import cli

        cli.main(["train", *arguments])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        import atexit

        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _name(process: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
        if "-m" in words[:-1]:
            return words[words.index("-m") + 1]
        return Path(words[0]).name
    return "a process"


def warm_up() -> None:
    """Imports what a training needs, for the forks to have it."""
    from imprint.startup import imported

    for module in ("imprint.cli", "imprint.verbs.train", "imprint.batched_runs.launcher", "imprint.launching"):
        imported(module)
    for module in ("diffusers", "transformers", "peft"):
        imported(module)
