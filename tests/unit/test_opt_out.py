"""Pictures whose metadata speaks against training: told, refused or passed over before a model is loaded."""

import logging
from pathlib import Path

import pytest
from PIL import Image
from small_runs import configure, draw_pictures

from imprint.errors import ConfigError
from imprint.pictures.files import png_bytes
from imprint.planning.prepare import prepare
from imprint.provenance.base import MadeBy
from imprint.provenance.xmp import statement

FORBIDS = statement(MadeBy((), ())).replace(
    "Iptc4xmpExt:DigitalSourceType",
    'xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" plus:DataMining='
    '"http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED" other',
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Of four, one that forbids training, and one that a model made."""
    folder = draw_pictures(tmp_path / "photos", count=4)
    for name, packet in (("1.png", FORBIDS), ("3.png", statement(MadeBy((), ())))):
        with Image.open(folder / name) as picture:
            content = png_bytes(picture, xmp=packet)
        (folder / name).write_bytes(content)
    return folder


def signature(tiny_sd: Path, photos: Path, tmp_path: Path, *settings: str) -> str:
    return prepare(configure(tiny_sd, photos, tmp_path / "runs", *settings)).run.signature


def test_they_are_told_by_default_and_change_nothing(
    tiny_sd: Path, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        told = signature(tiny_sd, photos, tmp_path)
    [message] = [record.getMessage() for record in caplog.records if "speaks against" in record.getMessage()]
    assert "1.png: DMI-PROHIBITED" in message
    assert "3.png: trainedAlgorithmicMedia" in message
    assert "0.png" not in message
    caplog.clear()
    assert signature(tiny_sd, photos, tmp_path, "dataset.opt_out=ignore", "dataset.rights=mine") == told
    assert "speaks against" not in caplog.text


def test_they_are_refused_by_name(tiny_sd: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        signature(tiny_sd, photos, tmp_path, "dataset.opt_out=refuse")
    assert "dataset.opt_out='refuse'" in str(caught.value)
    assert "1.png: DMI-PROHIBITED" in str(caught.value)
    assert "3.png: trainedAlgorithmicMedia" in str(caught.value)


def test_photographs_of_the_class_are_spoken_of_too(
    tiny_sd: Path, pictures: Path, photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    prior = ["prior=folder", f"prior.path={photos}"]
    told = signature(tiny_sd, pictures, tmp_path, *prior)
    assert "1.png: DMI-PROHIBITED" in caplog.text
    with pytest.raises(ConfigError, match=r"3\.png: trainedAlgorithmicMedia"):
        signature(tiny_sd, pictures, tmp_path, *prior, "dataset.opt_out=refuse")
    assert signature(tiny_sd, pictures, tmp_path, *prior, "dataset.opt_out=ignore") == told


def test_photos_without_such_marks_are_not_spoken_of(
    tiny_sd: Path, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert signature(tiny_sd, pictures, tmp_path, "dataset.opt_out=refuse")
    assert "speaks against" not in caplog.text
