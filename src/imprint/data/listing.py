"""Files of a folder: which are meant as pictures, how they are sorted, and how their names are shown."""

import re
import unicodedata
from pathlib import Path, PurePath

from imprint import messages
from imprint.errors import ConfigError, Problem

SUFFIXES = tuple(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "mpo"),
        *("png", "apng", "webp", "bmp", "gif", "tif", "tiff", "avif", "heic", "heif"),
    )
)
REPEATS_AND_WORDS = re.compile(r"(?P<repeats>\d+)_(?P<words>.*\S.*)")  # how kohya's scripts name a folder: 10_sks dog
MASK = ".mask"  # what the stem of a mask ends in that lies beside its picture


def list_pictures(folder: Path, *, key: str) -> list[Path]:
    """Every visible file with a picture's suffix, in natural order, whether it can be read or not; but no masks.

    Raises ConfigError, naming `key`, if there is no such folder or nothing in it.
    """
    remedy = _obstacle(folder)
    if remedy is None:
        entries = list(folder.iterdir())
        visible = [entry for entry in entries if not entry.name.startswith(".")]
        pictures = [entry for entry in visible if _is_picture(entry)]
        if pictures:
            return sorted(pictures, key=lambda file: natural_key(file.name))
        remedy = _only_hidden(entries) or _nothing_in(visible)
    raise ConfigError([Problem(key, printable(folder), remedy)])


def printable(name: str | PurePath) -> str:
    """`name` as text that any terminal, log or JSON file takes. Different names stay different."""
    return messages.printable(str(name), escaping="\\")


def composed(name: str) -> str:
    """`name` with accents composed: some file systems give them back in two parts."""
    return unicodedata.normalize("NFC", name)


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sorts 2.jpg before 10.jpg, on every machine alike."""
    parts = re.split(r"([0-9]+)", composed(name).casefold())
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)], name


def _is_picture(entry: Path) -> bool:
    return entry.suffix.lower() in SUFFIXES and not entry.stem.endswith(MASK) and not entry.is_dir()


def _obstacle(folder: Path) -> str | None:
    try:
        if not folder.exists():
            return "there is no such folder. Give the folder that holds the pictures."
        if not folder.is_dir():
            return "this is a file. Give the folder that holds the pictures."
        next(folder.iterdir(), None)
    except OSError as error:
        return f"cannot be read ({error.strerror}). Change its permissions or give another folder."
    return None


def _only_hidden(entries: list[Path]) -> str | None:
    """Some programs write a hidden file beside each picture, so one alone is not taken for it."""
    hidden = sorted(
        (printable(entry.name) for entry in entries if entry.name.startswith(".") and _looks_like_picture(entry)),
        key=natural_key,
    )
    if not hidden:
        return None
    return f"the only pictures here are hidden, since their names begin with a dot ({_some(hidden)}). Rename them."


def _looks_like_picture(entry: Path) -> bool:
    """`...png` has no suffix by the rules of names."""
    return entry.name.lower().endswith(SUFFIXES) and not entry.is_dir()


def _nothing_in(entries: list[Path]) -> str:
    folders = sorted((printable(entry.name) for entry in entries if entry.is_dir()), key=natural_key)
    others = sorted({printable(entry.suffix) or "no suffix" for entry in entries if not entry.is_dir()})
    if folders and not others:
        kohya = " dataset=kohya reads names of this form." if any(map(REPEATS_AND_WORDS.fullmatch, folders)) else ""
        return f"holds only folders ({_some(folders)}). Give one of them, or move the pictures up.{kohya}"
    found = f"only other files ({_some(others)})" if others else "nothing at all"
    return f"no picture here, {found}. Put pictures into it: {', '.join(SUFFIXES)}."


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
