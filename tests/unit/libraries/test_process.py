"""What is set for the whole process. (tests/unit/test_startup.py is about what programs do with it.)"""

import io
import logging
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from imprint.libraries.process import MappedFiles, hide_metadata_of_pictures


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


@pytest.mark.skipif(sys.platform != "linux", reason="no other system says where files are mapped")
class TestMappedFiles:
    NUMBERS = 2**20

    @pytest.fixture
    def mapped(self, tmp_path: Path) -> torch.Tensor:
        """From a file, every page of which was read."""
        save_file({"weight": torch.arange(self.NUMBERS, dtype=torch.float32)}, tmp_path / "weights.safetensors")
        weight = load_file(tmp_path / "weights.safetensors")["weight"]
        assert weight.sum() > 0
        return weight

    def test_their_pages_leave_and_come_back(self, mapped: torch.Tensor) -> None:
        before = resident()
        MappedFiles().forget(mapped.data_ptr(), mapped.nbytes)
        assert before - resident() > 0.9 * mapped.nbytes
        assert torch.equal(mapped, torch.arange(self.NUMBERS, dtype=torch.float32))

    def test_what_was_written_there_stays(self, mapped: torch.Tensor) -> None:
        mapped[5000] = -1
        MappedFiles().forget(mapped.data_ptr(), mapped.nbytes)
        assert mapped[5000] == -1

    def test_memory_of_no_file_stays(self, mapped: torch.Tensor) -> None:
        own = mapped.clone()
        MappedFiles().forget(own.data_ptr(), own.nbytes)
        assert torch.equal(own, mapped)


def resident() -> int:
    """Bytes of files that are in this process's memory."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssFile:")]
    return int(line.split()[1]) * 1024
