"""A temporary folder that does not outlive its process, and children that do not either."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imprint.process_folder import OF_PARENT, named_for_children, own_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")

OWNER = "import sys; from imprint.process_folder import own_folder; print(own_folder(), flush=True); sys.stdin.read()"
CHILD = """
import sys, time
from pathlib import Path
from imprint.process_folder import end_with
end_with(Path(sys.argv[1]))
print("lives", flush=True)
time.sleep(120)
"""


def started(script: str, *arguments: str, place: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", f"import tempfile; tempfile.tempdir = {str(place)!r}\n{script}", *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_it_is_removed_with_the_process_that_ends(tmp_path: Path) -> None:
    process = started(OWNER, place=tmp_path)
    folder = Path(first_line(process))
    assert folder.is_dir()
    process.communicate()
    assert not list(tmp_path.iterdir())


def test_that_of_a_killed_process_is_removed_by_the_next(tmp_path: Path) -> None:
    killed, living = started(OWNER, place=tmp_path), started(OWNER, place=tmp_path)
    folders = [first_line(killed), first_line(living)]
    killed.kill()
    killed.wait()
    following = started(OWNER, place=tmp_path)
    expected = {folders[1], first_line(following)}
    left = {str(folder) for folder in tmp_path.iterdir()}
    assert left == expected
    for process in (living, following):
        process.communicate()


def test_children_end_with_it(tmp_path: Path) -> None:
    parent = started(OWNER, place=tmp_path)
    folder = first_line(parent)
    children = [started(CHILD, folder, place=tmp_path) for _ in range(2)]
    assert [first_line(child) for child in children] == ["lives"] * 2
    assert [child.poll() for child in children] == [None] * 2
    parent.kill()
    assert [child.wait(timeout=60) for child in children] == [1, 1]


def test_a_child_that_comes_too_late_ends_at_once(tmp_path: Path) -> None:
    assert started(CHILD, str(tmp_path / "gone"), place=tmp_path).wait(timeout=60) == 1


LOADING = """
import time
from imprint import cli
cli._application = lambda verb: lambda arguments: time.sleep(120)  # while libraries are loaded
cli.execute("train", [])
"""


def test_the_command_line_of_a_child_ends_with_its_parent_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning starts the other processes of a run on several devices in this way."""
    monkeypatch.setenv(OF_PARENT, str(tmp_path / "gone"))
    assert started(LOADING, place=tmp_path).wait(timeout=60) == 1
    monkeypatch.delenv(OF_PARENT)
    with named_for_children():
        assert Path(os.environ[OF_PARENT]) == own_folder()
    assert OF_PARENT not in os.environ
