"""Whether a lock is held."""

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from imprint.claims import is_locked

HOLDER = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print(flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".lock"


def test_it_is_held_as_long_as_its_process_lives(file: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert is_locked(file)
        holder.kill()
        holder.wait()
        assert not is_locked(file)


def test_looking_leaves_it_free_and_makes_no_file(file: Path) -> None:
    assert not is_locked(file)
    assert not file.exists()
    file.touch()
    assert not is_locked(file)
    with FileLock(file, timeout=0):
        assert is_locked(file)
