"""The comments of a YAML file of conf/, beside the settings that they are about."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import yaml

NOT_SETTINGS = ("defaults", "hydra")  # for Hydra itself


class Setting(NamedTuple):
    key: str  # a.b.c inside the file
    value: str  # as it is written; empty, where settings follow below it
    comment: str


class CommentedFile(NamedTuple):
    """`about` is what the file begins with, `examples` are the commands in that."""

    about: str
    examples: list[str]
    settings: list[Setting]


def read(text: str) -> CommentedFile:
    """Of one of imprint's own files, or one written like these: a comment stands before its setting or behind it, and
    may go on in the lines below, further to the right."""
    about, examples = _head(text)
    lines = text.splitlines()
    try:
        keys = list(_keys(yaml.compose(text, Loader=yaml.SafeLoader), ""))
    except yaml.YAMLError:  # which is told when the file is used
        keys = []
    starts = [line for _, _, line in keys] + [len(lines)]
    own = [
        Setting(key, value, _comment(lines, line, following))
        for (key, value, line), following in zip(keys, starts[1:], strict=True)
    ]
    return CommentedFile(about, examples, own)


def _head(text: str) -> tuple[str, list[str]]:
    prose: list[str] = []
    examples: list[str] = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        if line.startswith("# @package"):
            continue
        said = line.removeprefix("#")
        (examples if said.startswith("   ") else prose).append(said.strip())
    return "\n".join(_paragraphs(prose)), examples


def _paragraphs(lines: Sequence[str]) -> list[str]:
    return [" ".join(part.split("\n")) for part in re.split(r"\n\n+", "\n".join(lines).strip()) if part]


def _keys(node: yaml.Node | None, prefix: str) -> Iterator[tuple[str, str, int]]:
    """Key, value, and the number of the line, in the order of the file."""
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        key = f"{prefix}{name.value}"
        if key in NOT_SETTINGS or name.value.startswith("_"):
            continue
        below = isinstance(value, yaml.MappingNode) and bool(value.value) and not value.flow_style
        yield key, "" if below else _written(value), name.start_mark.line
        if below:
            yield from _keys(value, f"{key}.")


def _written(node: yaml.Node) -> str:
    """One that spans lines is shown without its line breaks."""
    mark: Any = node.start_mark
    return " ".join(mark.buffer[mark.pointer : node.end_mark.pointer].split()) if mark.buffer else str(node.value)


def _comment(lines: Sequence[str], line: int, following: int) -> str:
    """Behind the setting, with what goes on below; otherwise what stands before it."""
    behind = _behind(lines[line])
    if behind is None:
        return _before(lines, line)
    further: list[str] = []
    column = len(lines[line]) - len(lines[line].lstrip())
    for text in lines[line + 1 : following]:
        said = text.strip()
        if not said.startswith("#") or len(text) - len(text.lstrip()) <= column:
            break
        further.append(said.lstrip("# "))
    return " ".join([behind, *further])


def _behind(line: str) -> str | None:
    """What follows a # that is in no quotes."""
    found = re.match(r"""((?:[^"'#]|"[^"]*"|'[^']*'|(?<=\S)[#'])*?)\s#\s*(.*)$""", line)
    return found[2] if found else None


def _before(lines: Sequence[str], line: int) -> str:
    above: list[str] = []
    indent = len(lines[line]) - len(lines[line].lstrip())
    for text in reversed(lines[:line]):
        if not text.strip().startswith("#") or len(text) - len(text.lstrip()) != indent:
            break
        above.insert(0, text.strip().lstrip("# "))
    is_head = line - len(above) <= 0 or lines[: line - len(above)] == []
    return "" if is_head else " ".join(above)
