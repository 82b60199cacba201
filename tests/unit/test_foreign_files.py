"""Files of others are read soon, or not at all, with a short reason."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imprint.foreign_files import TEXT_LIMIT, YAML_LIMIT, Malformed, Unreadable, read_json, read_text, read_yaml


@pytest.mark.parametrize("read", [read_text, read_json, read_yaml])
def test_a_pipe_is_not_waited_for(read: Callable[[Path], Any], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unreadable, match="not a regular file"):
        read(tmp_path / "pipe")


@pytest.mark.parametrize(("read", "limit"), [(read_text, TEXT_LIMIT), (read_json, TEXT_LIMIT), (read_yaml, YAML_LIMIT)])
def test_a_file_is_not_read_that_is_larger_than_any(read: Callable[[Path], Any], limit: int, tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(limit + 1)
    with pytest.raises(Unreadable, match="larger than"):
        read(tmp_path / "large")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no such file"):
        read_text(tmp_path / "none")


@pytest.mark.parametrize(
    ("read", "content", "reason"),
    [
        (read_text, b"\xff", "not UTF-8"),
        (read_json, b"{", "line 1 column 2"),
        (read_json, b"[" * 100_000, "nested too deeply"),
        (read_json, b"1" * 5000, "too many digits"),
        (read_yaml, b"[" * 20_000, "nested too deeply"),
        (read_yaml, b"a: &a [x]\nb: [*a, *a]\n", "references"),
        (read_yaml, b"a: &a {x: y}\nb: {<<: [*a, *a]}\n", "references"),
        (read_yaml, b"!!python/object/apply:os.system [x]", "could not determine a constructor"),
        (read_yaml, b"a: 2020-99-99", "not YAML"),
    ],
)
def test_what_is_wrong_is_said(read: Callable[[Path], Any], content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(Malformed, match=reason):
        read(tmp_path / "file")


def test_a_mark_of_the_encoding_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "file") == {"a": 1}
    assert read_yaml(tmp_path / "file") == {"a": 1}
