"""What imprint reads back from folders of runs, sweeps and caches: of bounded size, typed, or refused in one line that
names the file and the remedy. Such files may be cut off, half copied, of another release, or somebody else's."""

import json
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import yaml
from annotated_types import Ge, Le
from pydantic import Field, TypeAdapter, ValidationError

from imprint.errors import UserError

LARGEST = 1 << 28  # bytes: far more than a sheet of every score has
DEEPEST = 64  # values inside one another
DAMAGED = "it is damaged or only half copied"
NUMBER_LIMIT = 2**63  # of whole numbers: a float can be made of each

T = TypeVar("T")
Count = Annotated[int, Ge(0), Le(NUMBER_LIMIT)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def read_json(file: Path, remedy: str) -> Any:
    """Raises FileNotFoundError where there is no file, and UserError for what is no JSON."""
    text = _text(file, remedy)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        refuse(file, DAMAGED, remedy, error)
    return _shallow(content, file, remedy)


def read_yaml(file: Path, remedy: str) -> Any:
    """Plain values. Raises as `read_json`. References within a file are refused: a few lines of them stand for billions
    of values, and nothing that imprint writes has any."""
    text = _text(file, remedy)
    try:
        content = yaml.load(text, _WithoutReferences)
    except (ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        refuse(file, DAMAGED, remedy, error)
    return _shallow(content, file, remedy)


def typed(adapter: TypeAdapter[T], content: Any, file: Path, remedy: str) -> T:
    """The content of `file` as what `adapter` is of. Raises UserError, naming the first key that is wrong."""
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        wrong = f"what it says of {key} cannot be ({first['msg'].lower()})" if key else "it holds something else"
        refuse(file, wrong, remedy, error)


def refuse(file: Path, reason: str, remedy: str, error: BaseException | None = None) -> NoReturn:
    raise UserError(f"{file}: {reason}. {remedy}") from error


def _text(file: Path, remedy: str) -> str:
    try:
        if file.exists() and not file.is_file():  # reading a pipe would wait for ever
            refuse(file, "this is no file", remedy)
        if file.stat().st_size > LARGEST:
            refuse(file, f"it is larger than {LARGEST // 2**20} MiB, and not what it is called", remedy)
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except OSError as error:
        refuse(file, f"it cannot be read ({error.strerror or error})", remedy, error)
    except UnicodeDecodeError as error:
        refuse(file, DAMAGED, remedy, error)


def _shallow(content: Any, file: Path, remedy: str) -> Any:
    """`content`, if functions that call themselves for what is inside can go through it."""
    level = [content]
    for _ in range(DEEPEST):
        nodes = [node for node in level if isinstance(node, dict | list)]
        level = [part for node in nodes for part in (node.values() if isinstance(node, dict) else node)]
        if not level:
            return content
    refuse(file, f"it has more than {DEEPEST} values inside one another", remedy)


class _WithoutReferences(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it refers to another place in it")
        return super().compose_node(parent, index)
