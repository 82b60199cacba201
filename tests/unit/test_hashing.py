"""Fingerprints follow the content, and large files are read once."""

import os
from pathlib import Path

import pytest

from imprint.hashing import CACHED_FROM_BYTES, file_hash, fingerprint


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / "large"
    file.write_bytes(b"x" * CACHED_FROM_BYTES)
    return file


def test_names_and_contents_count_places_do_not(tmp_path: Path) -> None:
    for folder, content in (("here", "a"), ("there", "a"), ("elsewhere", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text(content)
    here, there, elsewhere = (tmp_path / folder / "file" for folder in ("here", "there", "elsewhere"))
    assert fingerprint({"w": here}) == fingerprint({"w": there})
    assert fingerprint({"w": here}) != fingerprint({"w": elsewhere})
    assert fingerprint({"w": here}) != fingerprint({"v": here})
    assert fingerprint({"a": here, "b": elsewhere}) == fingerprint({"b": elsewhere, "a": here})


@pytest.mark.parametrize("entry", [b"", b"0123", b"\xff\xfe", b"../../elsewhere"])
def test_a_damaged_entry_of_the_cache_is_made_again(entry: bytes, large: Path, cache: Path) -> None:
    known = file_hash(large)
    [file] = (cache / "hashes").iterdir()
    file.write_bytes(entry)
    assert file_hash(large) == known
    assert file.read_text() == known


def test_a_large_file_is_read_once(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = file_hash(large)
    monkeypatch.setattr("imprint.hashing._read_hash", lambda path: pytest.fail("read again"))
    assert file_hash(large) == first


def test_a_changed_file_is_read_again(large: Path) -> None:
    first = file_hash(large)
    large.write_bytes(b"y" * CACHED_FROM_BYTES)
    state = large.stat()
    os.utime(large, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert file_hash(large) != first


def test_a_cache_that_cannot_be_written_costs_only_time(
    large: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = file_hash(large)
    blocked = cache.parent / "blocked"
    blocked.write_text("a file where the folder should be")
    monkeypatch.setenv("IMPRINT_CACHE", str(blocked))
    assert file_hash(large) == first
