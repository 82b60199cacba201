"""Names of files: the order they stand in, and how they are shown."""

import re
import unicodedata
from pathlib import PurePath


def printable(name: str | PurePath) -> str:
    """`name` as text that any terminal, log or JSON file takes. Control characters and what is no UTF-8 are
    escaped; different names stay different."""
    return "".join(_shown(char) for char in str(name))


def composed(name: str) -> str:
    """`name` with accents composed: some file systems give them back in two parts."""
    return unicodedata.normalize("NFC", name)


def natural_key(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sorts 2.jpg before 10.jpg, on every machine alike."""
    parts = re.split(r"([0-9]+)", composed(name).casefold())
    return [(int(part), "") if index % 2 else (-1, part) for index, part in enumerate(parts)], name


def _shown(char: str) -> str:
    if 0xDC80 <= ord(char) <= 0xDCFF:  # how Python keeps a byte of a file's name that is no UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    if char == "\\" or not char.isprintable():
        return char.encode("unicode_escape").decode()
    return char
