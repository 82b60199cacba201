"""The file beside a collection's folders that says what its subjects are."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, get_args

from imprint import messages
from imprint.data.dataset import Kind
from imprint.errors import UserError
from imprint.foreign_files import read_json, read_text, read_yaml

FILES = ("subjects.yaml", "subjects.json", "subjects.csv")
FIELDS = ("name", "noun", "kind")


class Described(NamedTuple):
    noun: str | None
    kind: Kind | None


def read_description(folder: Path) -> dict[str, Described]:
    """What the file says, by subject; nothing where there is none. Raises UserError with all that is wrong in it.

    YAML and JSON hold a mapping from name to noun (`rex: dog`) or to `{noun: dog, kind: live}`; CSV has the columns
    name, noun and perhaps kind.
    """
    found = [folder / name for name in FILES if (folder / name).is_file()]
    if not found:
        return {}
    if len(found) > 1:
        raise UserError(f"{folder}: {' and '.join(file.name for file in found)} both name the subjects. Keep one.")
    [file] = found
    described: dict[str, Described] = {}
    wrong: list[str] = []
    for name, content in _rows(file):
        try:
            if name in described:
                raise ValueError("is there twice")
            described[name] = _described(name, content)
        except ValueError as error:
            wrong.append(f"  - {name}: {error}")
    if wrong:
        raise UserError("\n".join([f"{file} cannot be used:", *wrong]))
    return described


def _rows(file: Path) -> list[tuple[str, Any]]:
    try:
        if file.suffix == ".csv":
            return _table(read_text(file))
        content = read_json(file) if file.suffix == ".json" else read_yaml(file)
        if not isinstance(content, Mapping):
            raise ValueError("it is no mapping from names to nouns (rex: dog)")
        return [(str(name), value) for name, value in content.items()]
    except (ValueError, csv.Error) as error:
        raise UserError(f"{file} cannot be read: {error}") from error


def _table(text: str) -> list[tuple[str, Any]]:
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    if not {"name", "noun"} <= set(rows.fieldnames or ()):
        raise ValueError("its first line must name the columns: name,noun or name,noun,kind")
    return [(row.pop("name") or "", {field: value for field, value in row.items() if value}) for row in rows]


def _described(name: str, content: Any) -> Described:
    """Raises ValueError."""
    fields = content if isinstance(content, Mapping) else {"noun": content}
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        raise ValueError("is no name of a folder here")
    if unknown := [str(field) for field in fields if field not in FIELDS[1:]]:
        raise ValueError(f"{', '.join(unknown)} is unknown; there are noun and kind")
    noun, kind = fields.get("noun"), fields.get("kind")
    if noun is not None and (not isinstance(noun, str) or not noun.strip()):
        raise ValueError(f"noun {messages.value(noun)} is no text")
    if kind is not None and kind not in get_args(Kind):
        raise ValueError(f"kind {messages.value(kind)} must be object or live")
    return Described(noun.strip() if noun else None, kind)
