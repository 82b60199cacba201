import os
from pathlib import Path

import pytest

from imprint.reporting.file_cache import FileCache


def test_a_file_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    file, asked = tmp_path / "a", []
    cache = FileCache(most=2)

    def made(path: Path) -> str:
        asked.append(path)
        return path.read_text()

    file.write_text("one")
    assert [cache.of(file, made), cache.of(file, made)] == ["one", "one"]
    assert len(asked) == 1
    file.write_text("two")
    os.utime(file, (1, 1))
    assert cache.of(file, made) == "two"
    assert cache.of(file, lambda _: "large", how=384) == "large"
    assert cache.of(file, made) == "two"
    assert len(asked) == 2


def test_what_was_not_asked_for_the_longest_is_forgotten(tmp_path: Path) -> None:
    cache, asked = FileCache(most=2), []
    for name in "abc":
        (tmp_path / name).touch()
    for name in ("a", "b", "a", "c", "a", "b"):
        cache.of(tmp_path / name, lambda path: asked.append(path.name))
    assert asked == ["a", "b", "c", "b"]


def test_what_goes_wrong_is_passed_on_and_not_kept(tmp_path: Path) -> None:
    cache = FileCache(most=2)
    with pytest.raises(FileNotFoundError):
        cache.of(tmp_path / "gone", lambda _: 1)
    (tmp_path / "a").touch()
    with pytest.raises(ZeroDivisionError):
        cache.of(tmp_path / "a", lambda _: 1 // 0)
    assert cache.of(tmp_path / "a", lambda _: 1) == 1
