"""Reference pictures on disk, in the DreamBooth data set's layout, with their truth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from imprint.miniature.export import export
from imprint.miniature.references import references
from imprint.miniature.wording import RARE_IDENTIFIERS


def test_a_folder_a_subject_with_numbered_pictures_and_their_truth(tmp_path: Path) -> None:
    export(tmp_path, ["dog6", "teapot"])
    for name, noun in (("dog6", "dog"), ("teapot", "teapot")):
        pictures = references(name)
        assert [p.name for p in sorted((tmp_path / name).glob("*.png"))] == [
            f"{i:02d}.png" for i in range(len(pictures))
        ]
        rows = [json.loads(line) for line in (tmp_path / name / "metadata.jsonl").read_text().splitlines()]
        for row, picture in zip(rows, pictures, strict=True):
            with Image.open(tmp_path / name / row["file_name"]) as written:
                assert written.tobytes() == picture.tobytes()
            assert row["class"] == row["truth"]["subject"]["noun"] == noun
            assert noun in row["text"]
            assert not set(row["text"].split()) & set(RARE_IDENTIFIERS)


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="dog4"):
        export(tmp_path, ["dog4"])
