"""What is set for the whole process. (tests/unit/test_startup.py is about what programs do with it.)"""

import io
import logging

import pytest
from PIL import Image

from imprint.libraries.process import hide_metadata_of_pictures


@pytest.fixture
def photo() -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "a garden in Delft"
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def told_of(photo: bytes, caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    with Image.open(io.BytesIO(photo)) as image:
        assert image.getexif()[0x010E] == "a garden in Delft"
    return caplog.text


def test_what_a_camera_noted_is_not_logged(
    photo: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillow = logging.getLogger("PIL")
    monkeypatch.setattr(pillow, "level", logging.NOTSET)
    caplog.set_level(logging.DEBUG)
    pillow.manager._clear_cache()  # type: ignore[attr-defined]
    assert "Delft" in told_of(photo, caplog), "Pillow says it in another way now, or not at all: is its level needed?"
    hide_metadata_of_pictures()
    assert "Delft" not in told_of(photo, caplog)
