"""Notices what no reading of a file may do, whichever library does it: run programs, reach for the network, import what
the file names, change files elsewhere."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Modules that nothing imports on its own, for files to name.
BAIT = ("antigravity", "this", "turtledemo")
RUNNING = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.forkpty",
    "subprocess.Popen",
    "pty.spawn",
)
NETWORK = ("socket.connect", "socket.sendto", "urllib.Request", "webbrowser.open")
CHANGING = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.chmod", "os.truncate")


class _Watch:
    def __init__(self) -> None:
        self.is_started = False
        self.allowed: list[str] | None = None  # folders in which files may change; None: nobody watches
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.allowed is None:
            return
        if event in RUNNING or event in NETWORK or (event == "import" and str(arguments[0]).split(".")[0] in BAIT):
            self.seen.append(f"{event} {arguments!r}")
        elif event in CHANGING or (event == "open" and _writes(arguments)):
            places = [os.path.abspath(os.fsdecode(place)) for place in arguments[:2] if isinstance(place, str | bytes)]
            places = places[1:2] if event in ("os.symlink", "os.link") else places[: 2 if event == "os.rename" else 1]
            is_there = event == "os.mkdir" and os.path.isdir(places[0])  # Hydra makes the folder that it runs in
            self.seen += [f"{event} {place}" for place in places if not is_there and not self._may_change(place)]

    def _may_change(self, place: str) -> bool:
        return "__pycache__" in place or any(place.startswith(folder) for folder in self.allowed or ())


_watch = _Watch()


def start() -> None:
    """An audit hook stays for the process's life, so there is one."""
    if not _watch.is_started:
        sys.addaudithook(_watch)
        _watch.is_started = True


@contextmanager
def nothing_runs(folder: Path) -> Iterator[None]:
    """Files may change in `folder`, and in folders for temporary files and caches."""
    caches = [os.environ["IMPRINT_CACHE"], tempfile.gettempdir(), os.devnull]
    _watch.seen = []
    _watch.allowed = [str(folder), *(cache for cache in caches if not str(folder).startswith(f"{cache}{os.sep}"))]
    try:
        yield
    finally:
        _watch.allowed = None
    assert not _watch.seen, _watch.seen[:3]


def _writes(arguments: tuple[object, ...]) -> bool:
    mode, flags = arguments[1], arguments[2]
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
