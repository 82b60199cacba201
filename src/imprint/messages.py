"""Texts for people: nothing in them steers a terminal, and none is longer than can be read."""

from collections.abc import Iterator
from typing import Any

MAX_VALUE = 200  # characters of a value
MAX_LINE = 1000
MAX_LINES = 200


def printable(text: str, *, escaping: str = "") -> str:
    """`text` as any terminal, log or JSON file takes it: control characters, what changes the direction of writing and
    what is no UTF-8 are escaped, and the characters in `escaping`."""
    return text if text.isprintable() and not escaping else "".join(_escaped(char, escaping) for char in text)


def message(text: str) -> str:
    """Printable, with its lines. Of a line that is too long the middle is left out, of too many lines the last ones."""
    lines = text.split("\n")
    more = [f"... and {len(lines) - MAX_LINES} more lines"] if len(lines) > MAX_LINES else []
    return "\n".join([*map(_line, lines[:MAX_LINES]), *more])


def value(content: object) -> str:
    """`repr(content)`, cut. Only what is shown is written, for references can make a small file's content huge."""
    written = ""
    for part in _written(content):
        written += part
        if len(written) > MAX_VALUE:
            return f"{written[:MAX_VALUE]}..."
    return written


def _escaped(char: str, escaping: str) -> str:
    if 0xDC80 <= ord(char) <= 0xDCFF:  # how Python keeps a byte of a file's name that is no UTF-8
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode() if char in escaping or not char.isprintable() else char


def _line(text: str) -> str:
    return _shortened(printable(_shortened(text)))


def _shortened(line: str) -> str:
    return line if len(line) <= MAX_LINE else f"{line[: MAX_LINE * 2 // 3]} ... {line[-MAX_LINE // 3 :]}"


def _written(content: Any) -> Iterator[str]:
    """The parts of `repr(content)`, one after another."""
    if type(content) is dict:
        yield "{"
        for number, (key, item) in enumerate(content.items()):
            yield f"{', ' if number else ''}{value(key)}: "
            yield from _written(item)
        yield "}"
    elif type(content) is list or type(content) is tuple:
        yield "[" if type(content) is list else "("
        for number, item in enumerate(content):
            yield ", " if number else ""
            yield from _written(item)
        yield "]" if type(content) is list else ",)" if len(content) == 1 else ")"
    elif type(content) is str or type(content) is bytes:
        yield repr(content[: MAX_VALUE + 1])
    elif type(content) is int and content.bit_length() > 4 * MAX_VALUE:
        yield hex(content)  # Python refuses to write it in decimals
    else:
        yield repr(content)
