"""imprint caption: what is written beside pictures, and what is left alone."""

import json
from pathlib import Path

import pytest
from command import Typed, typed_with
from small_runs import draw_pictures
from tiny_captioners import tiny_blip

from imprint.data.captions import read_captions


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_blip(tmp_path_factory.mktemp("captioner") / "blip")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_pictures(tmp_path / "photos", count=4)


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str]) -> Typed:
    return typed_with(capfd)


def command(photos: Path, model: Path, *more: str) -> list[str]:
    shared = [f"captioner.source={model}", "captioner.max_tokens=4", "accelerator=cpu", "batch_size=2"]
    return ["caption", str(photos), *shared, *more]


def test_each_picture_gets_a_text_that_a_training_reads(typed: Typed, photos: Path, model: Path) -> None:
    said = typed(*command(photos, model))
    assert said.code == 0, said.text
    assert "Wrote 4 captions" in said.text
    names = [f"{index}.png" for index in range(4)]
    found = read_captions(photos, names)
    assert not found.problems
    assert set(found.by_name) == set(names)
    assert all(f"{name}: {text}" in said.text for name, text in found.by_name.items())


def test_captions_that_are_there_stay(typed: Typed, photos: Path, model: Path) -> None:
    (photos / "0.txt").write_text("mine", encoding="utf-8")
    (photos / "1.caption").write_text("mine, too", encoding="utf-8")
    (photos / "metadata.jsonl").write_text(json.dumps({"file_name": "2.png", "text": "and mine"}), encoding="utf-8")
    said = typed(*command(photos, model, "dry_run=true"))
    assert "1 of 4 pictures have no caption" in said.text
    assert not (photos / "3.txt").exists()
    assert typed(*command(photos, model)).code == 0
    assert sorted(file.name for file in photos.glob("*.txt")) == ["0.txt", "3.txt"]
    assert (photos / "0.txt").read_text(encoding="utf-8") == "mine"
    written = (photos / "3.txt").read_bytes()
    assert "0 of 4 pictures" in typed(*command(photos, model, "captioner.instruction=red")).text
    assert (photos / "3.txt").read_bytes() == written


def test_a_template_puts_the_words_of_the_subject_before_it(typed: Typed, photos: Path, model: Path) -> None:
    template = "template={identifier} {noun}, {caption}"
    said = typed(*command(photos, model, template))
    assert said.code == 1
    assert "identifier" in said.text
    assert "noun" in said.text
    assert not list(photos.glob("*.txt"))
    assert typed(*command(photos, model, template, "identifier=sks", "noun=big dog")).code == 0
    assert (photos / "0.txt").read_text(encoding="utf-8").startswith("sks big dog, ")


@pytest.mark.parametrize("template", ["a dog", "{caption} {colour}", "{caption"])
def test_a_template_that_cannot_be_filled_is_told(typed: Typed, photos: Path, model: Path, template: str) -> None:
    said = typed(*command(photos, model, f"template={template}"))
    assert said.code == 1
    assert "template=" in said.text
    assert not list(photos.glob("*.txt"))


def test_bad_pictures_and_shared_names_are_told_before_anything_is_written(
    typed: Typed, photos: Path, model: Path
) -> None:
    (photos / "0.jpg").write_bytes((photos / "0.png").read_bytes())
    said = typed(*command(photos, model))
    assert said.code == 1
    assert "0.jpg, 0.png" in said.text
    (photos / "0.jpg").unlink()
    (photos / "9.png").write_bytes(b"no picture")
    said = typed(*command(photos, model))
    assert said.code == 1
    assert "9.png" in said.text
    assert not list(photos.glob("*.txt"))
