"""Masks that a program found say so in their file, for whoever learns from them, or is tested on them, later."""

from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imprint.files import write_atomically
from imprint.pictures.files import opened

KEY = "imprint:estimator"
LONGEST = 500  # characters of a name


def save_estimated(mask: Image.Image, file: Path, *, by: str) -> None:
    """`by` names what found it."""
    note = PngInfo()
    note.add_text(KEY, by[:LONGEST])
    write_atomically(file, lambda temporary: mask.save(temporary, format="PNG", pnginfo=note))


def estimator_of(file: Path) -> str:
    """What found a mask; "" where its file does not say."""
    try:
        with opened(file) as mask:
            said = mask.info.get(KEY, "")
    except Exception:  # of a damaged file Pillow raises nearly anything: who reads the mask tells what is wrong with it
        return ""
    return said[:LONGEST] if isinstance(said, str) else ""
