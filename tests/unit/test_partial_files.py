"""What a program that was killed left half written is removed, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from imprint.files import folder_atomically, write_atomically, write_text
from imprint.partial_files import files_named, partial_file, remove_abandoned

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")

KILLED = """
import os, sys
from pathlib import Path
from imprint.files import folder_atomically, write_atomically
place = Path(sys.argv[1])
def write(temporary):
    temporary.write_text("half")
    os.kill(os.getpid(), 9)
if sys.argv[2] == "file":
    write_atomically(place / "checkpoints" / "last.ckpt", write)
with folder_atomically(place / "result") as folder:
    write(folder / "half")
"""


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_program_was_writing_is_removed(kind: str, tmp_path: Path) -> None:
    write_text(tmp_path / "kept.json", "{}")
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), kind], check=False)
    assert len(names(tmp_path)) == 3  # with the half and its owner's lock
    remove_abandoned(tmp_path)
    assert names(tmp_path) == ["kept.json"]
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]


@pytest.mark.parametrize("name", ["last.ckpt", "model.safetensors", "00.png", "manifest.json"])
def test_what_is_being_written_stays(name: str, tmp_path: Path) -> None:
    """Even by the process that looks here: it asks the system, and keeps no list of its own."""
    weights = {"a": torch.zeros(3)}
    ways = {
        "last.ckpt": lambda file: torch.save(weights, file),
        "model.safetensors": lambda file: save_file(weights, file),  # in a file of its own, which it renames
        "00.png": lambda file: Image.new("RGB", (2, 2)).save(file, format="PNG"),
        "manifest.json": lambda file: file.write_text("{}"),
    }

    def write(temporary: Path) -> None:
        ways[name](temporary)
        remove_abandoned(tmp_path)

    write_atomically(tmp_path / name, write)
    assert names(tmp_path) == [name]
    with folder_atomically(tmp_path / "result") as folder:
        ways[name](folder / name)
        remove_abandoned(tmp_path)
    assert names(tmp_path) == sorted([name, f"result/{name}"])


@pytest.mark.parametrize("name", ["a.partial", ".a.partial", "a.b1234567.partial", ".a.b1234567.partial"])
def test_files_of_others_stay(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder" / name).mkdir(parents=True)
    (tmp_path / "folder" / name / "file").write_text("")
    (tmp_path / name).write_text("")
    remove_abandoned(tmp_path)
    assert names(tmp_path) == sorted([name, f"folder/{name}/file"])


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / "absent")
    assert not (tmp_path / "absent").exists()


def test_what_is_being_written_is_found_by_nobody(tmp_path: Path) -> None:
    write_text(tmp_path / "run" / "manifest.json", "{}")
    with partial_file(tmp_path / "run" / "manifest.json") as half:
        half.write_text("half")
        assert list(files_named("manifest.json", tmp_path)) == [tmp_path / "run" / "manifest.json"]


def test_a_folder_that_goes_away_before_it_is_read_stops_no_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "b" / "manifest.json", "{}")
    (tmp_path / "a").mkdir()
    scan = os.scandir

    def late(folder: str) -> Any:
        if Path(folder) == tmp_path / "a":
            Path(folder).rmdir()
        return scan(folder)

    monkeypatch.setattr(os, "scandir", late)
    assert list(files_named("manifest.json", tmp_path)) == [tmp_path / "b" / "manifest.json"]
    assert not (tmp_path / "a").exists()
