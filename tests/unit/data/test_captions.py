import json
from pathlib import Path

import pytest

from imprint.data.captions import read_captions, with_prefix
from imprint.types import Concept

NAMES = ["0.png", "1.png", "größe.png"]


def write_metadata(folder: Path, *lines: object) -> None:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    (folder / "metadata.jsonl").write_text("\n".join(texts), encoding="utf-8")


def test_metadata_gives_captions_by_file_name_whatever_their_order(tmp_path: Path) -> None:
    write_metadata(
        tmp_path,
        {"file_name": "1.png", "text": "one", "license": "CC0"},
        "",
        {"file_name": "gro\u0308ße.png", "text": "big"},
    )
    captions, problems = read_captions(tmp_path, NAMES)
    assert captions == {"1.png": "one", "größe.png": "big"}
    assert not problems


def test_a_text_file_beside_the_picture_is_its_caption_on_one_line(tmp_path: Path) -> None:
    (tmp_path / "0.txt").write_bytes(b"\xef\xbb\xbf a sks dog\r\non the beach\n")
    (tmp_path / "readme.txt").write_bytes(b"\xff not a caption")
    captions, problems = read_captions(tmp_path, NAMES)
    assert captions == {"0.png": "a sks dog on the beach"}
    assert not problems


def test_kohyas_files_are_captions_and_those_of_the_common_name_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "0.caption").write_text("a sks dog\n")
    (tmp_path / "1.txt").write_text("on the beach")
    (tmp_path / "1.caption").write_text("1girl, beach")
    (tmp_path / "größe.txt").write_text("in the snow")
    (tmp_path / "größe.caption").write_text("in the snow\n")
    captions, problems = read_captions(tmp_path, NAMES)
    assert captions == {"0.png": "a sks dog", "1.png": "on the beach", "größe.png": "in the snow"}
    assert not problems
    [told] = [record.getMessage() for record in caplog.records]
    assert told.endswith("1.caption")


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    write_metadata(
        tmp_path,
        "{not json",
        "[1]",
        {"file_name": "0.png"},
        {"file_name": "0.png", "text": 7},
        {"file_name": "../0.png", "text": "outside"},
        {"file_name": "gone\x1b.png", "text": "gone"},
        {"file_name": "0.png", "text": "  "},
        {"file_name": "1.png", "text": "one"},
        {"file_name": "1.png", "text": "other"},
        {"file_name": "0.png", "text": "\ud83d"},
        "[" * 100_000,
    )
    (tmp_path / "größe.txt").write_bytes(b"\xff\xfe")
    captions, problems = read_captions(tmp_path, NAMES)
    assert captions == {"1.png": "one"}
    expected = [
        "line 1: not JSON",
        "line 2: not an object",
        "line 3: text must be",
        "line 4: text must be",
        "line 5: names ../0.png",
        "line 6: names gone\\x1b.png",
        "line 7: the caption is empty",
        "line 9: 1.png has another caption",
        "line 10: the caption holds half a character",
        "line 11: not JSON",
        "größe.txt: not UTF-8",
    ]
    assert len(problems) == len(expected)
    for reason, problem in zip(expected, problems, strict=True):
        assert reason in problem


def test_captions_that_contradict_each_other_are_a_problem(tmp_path: Path) -> None:
    write_metadata(tmp_path, {"file_name": "0.png", "text": "zero"}, {"file_name": "1.png", "text": "one"})
    (tmp_path / "0.txt").write_text("zero")
    (tmp_path / "1.txt").write_text("a dog")
    captions, problems = read_captions(tmp_path, NAMES)
    assert captions["0.png"] == "zero"
    assert len(problems) == 1
    assert "1.txt: 1.png has another caption" in problems[0]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_metadata_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "metadata.jsonl"
    path.mkdir() if content is None else path.write_bytes(content)
    captions, problems = read_captions(tmp_path, NAMES)
    assert not captions
    assert len(problems) == 1


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("on the grass", "{identifier} {noun}, on the grass"),
        ("a sksy dog", "{identifier} {noun}, a sksy dog"),
        ("a SKS dog", "a SKS dog"),
        ("my {identifier}", "my {identifier}"),
    ],
)
def test_the_words_stand_before_a_caption_that_does_not_say_the_identifier(caption: str, expected: str) -> None:
    assert with_prefix(caption, Concept("sks", "dog")) == expected
