"""What imprint reads back from folders of runs, sweeps and caches: of bounded size, typed, or refused in one line that
names the file and the remedy. Such files may be cut off, half copied, of another release, or somebody else's."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

from annotated_types import Ge, Le
from pydantic import Field, TypeAdapter, ValidationError

from imprint import foreign_files
from imprint.errors import UserError
from imprint.foreign_files import Malformed, Unreadable

DEEPEST = 64  # values inside one another
DAMAGED = "it is damaged or only half copied"
NUMBER_LIMIT = 2**63  # of whole numbers: a float can be made of each

T = TypeVar("T")
Count = Annotated[int, Ge(0), Le(NUMBER_LIMIT)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def read_json(file: Path, remedy: str) -> Any:
    """Raises FileNotFoundError where there is no file, and UserError for what is no JSON."""
    return _read(foreign_files.read_json, file, remedy)


def read_yaml(file: Path, remedy: str) -> Any:
    """Plain values. Raises as `read_json`."""
    return _read(foreign_files.read_yaml, file, remedy)


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


def _read(read: Callable[[Path], Any], file: Path, remedy: str) -> Any:
    try:
        return _shallow(read(file), file, remedy)
    except Malformed as error:
        refuse(file, DAMAGED, remedy, error)
    except Unreadable as error:
        if not file.exists():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file)) from error
        refuse(file, f"it is {error}", remedy, error)


def _shallow(content: Any, file: Path, remedy: str) -> Any:
    """`content`, if functions that call themselves for what is inside can go through it."""
    level = [content]
    for _ in range(DEEPEST):
        nodes = [node for node in level if isinstance(node, dict | list)]
        level = [part for node in nodes for part in (node.values() if isinstance(node, dict) else node)]
        if not level:
            return content
    refuse(file, f"it has more than {DEEPEST} values inside one another", remedy)
