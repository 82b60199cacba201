"""Whether the process that a folder belongs to still lives."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from imprint.liveness import LOCK, owned_folder, remove_if_abandoned, wait_for_end

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")

OWNER = """
import os, sys, time
from pathlib import Path
from imprint.liveness import owned_folder
def create():
    Path(sys.argv[1]).mkdir()
    return Path(sys.argv[1])
with owned_folder(create) as folder:
    (folder / "inside").mkdir()
    (folder / "inside" / "file").touch()
    child = os.fork() if sys.argv[2] == "forks" else None
    if child == 0:  # it is one that lives on from here on, whenever the owner ends
        print(os.getpid(), flush=True)
        time.sleep(60)
        os._exit(0)
    if child is None:
        print(flush=True)
    sys.stdin.read()
"""


def started(folder: Path, how: str = "alone") -> "subprocess.Popen[str]":
    """Another process, which owns the folder until it is killed."""
    command = [sys.executable, "-c", OWNER, str(folder), how]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.readline().strip()


@pytest.fixture
def owner(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    with started(tmp_path / "it") as process:
        first_line(process)
        yield process
        process.kill()


def test_only_the_folder_of_a_process_that_has_ended_is_removed(owner: "subprocess.Popen[str]", tmp_path: Path) -> None:
    assert not remove_if_abandoned(tmp_path / "it")
    assert (tmp_path / "it" / "inside" / "file").exists()
    owner.kill()
    owner.wait()
    assert remove_if_abandoned(tmp_path / "it")
    assert not list(tmp_path.iterdir())


def test_it_is_removed_when_its_owner_no_longer_needs_it(tmp_path: Path) -> None:
    with owned_folder(lambda: (tmp_path / "it").mkdir() or tmp_path / "it") as folder:
        (folder / "file").touch()
    assert not list(tmp_path.iterdir())


def test_several_may_wait_for_the_end(owner: "subprocess.Popen[str]", tmp_path: Path) -> None:
    waiting = "import sys; from pathlib import Path; from imprint.liveness import wait_for_end"
    command = [sys.executable, "-c", f"{waiting}; print(wait_for_end(Path(sys.argv[1])))", str(tmp_path / "it")]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    owner.kill()
    owner.wait()
    assert [other.communicate()[0] for other in others] == ["True\n"] * 2


def test_what_never_had_an_owner_stays(tmp_path: Path) -> None:
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "file").touch()
    assert not remove_if_abandoned(tmp_path / "it")
    assert (tmp_path / "it" / "file").exists()
    assert not remove_if_abandoned(tmp_path / "absent")
    assert wait_for_end(tmp_path / "absent")


def test_what_was_taken_for_abandoned_before_it_was_locked_is_made_again(tmp_path: Path) -> None:
    """Between the two calls, another process may remove it."""
    made: list[Path] = []

    def create() -> Path:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(folder)
        if len(made) == 1:
            assert not remove_if_abandoned(folder)  # and removes it, since it is empty
        return folder

    with owned_folder(create) as folder:
        assert folder == made[1]
        assert (folder / LOCK).exists()


def test_a_link_leads_to_nothing_that_may_be_removed(tmp_path: Path) -> None:
    process = started(tmp_path / "it")
    first_line(process)
    process.kill()
    process.wait()
    (tmp_path / "link").symlink_to(tmp_path / "it")
    assert not remove_if_abandoned(tmp_path / "link")
    assert (tmp_path / "it" / "inside" / "file").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_that_lives_on_does_not_own_it(tmp_path: Path) -> None:
    """As the processes that load pictures."""
    with started(tmp_path / "it", "forks") as process:
        child = int(first_line(process))
        process.kill()
        process.wait()
        try:
            assert remove_if_abandoned(tmp_path / "it")
        finally:
            os.kill(child, 9)


def test_another_users_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder for everybody, they could put a link to somewhere else in its place."""
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / LOCK).touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: (tmp_path / "it").stat().st_uid + 1)
        assert not remove_if_abandoned(tmp_path / "it")
    assert remove_if_abandoned(tmp_path / "it")
