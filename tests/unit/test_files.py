"""A reader sees the old content or the new."""

import shutil
from pathlib import Path

import pytest
from skips import NOT_HERE

from imprint.errors import UserError
from imprint.files import folder_atomically, write_atomically, write_json, write_text


def test_a_failed_write_leaves_the_old_content_and_no_litter(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_json(file, {"kept": 1})
    with pytest.raises(TypeError):
        write_json(file, {"bad": object()})
    assert file.read_text() == '{\n  "kept": 1\n}\n'
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "result"
    with pytest.raises(RuntimeError), folder_atomically(target) as folder:
        (folder / "half").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    for content in ("first", "second"):
        with folder_atomically(target) as folder:
            (folder / "file").write_text(content)
    assert [entry.name for entry in target.iterdir()] == ["file"]
    assert (target / "file").read_text() == "second"


def test_what_cannot_be_written_is_said_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        write_text(tmp_path / "file" / "below", "x")


def test_a_full_disk_is_said_as_such() -> None:
    if not Path("/dev/full").exists():
        pytest.skip(f"{NOT_HERE} there is no /dev/full")

    def to_full_disk(_: Path) -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(UserError, match="No space left"):
        write_atomically(Path("/tmp/imprint-test-full"), to_full_disk)


def test_a_full_disk_that_a_library_words_its_own_way_is_said_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)

    def serialise(_: Path) -> None:
        raise RuntimeError("unexpected pos 64 vs 0")

    with pytest.raises(RuntimeError, match="unexpected pos"):
        write_atomically(tmp_path / "file", serialise)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=0))
    with pytest.raises(UserError, match="No space left"):
        write_atomically(tmp_path / "file", serialise)
