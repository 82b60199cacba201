"""Text, JSON and YAML that others wrote: reading them ends soon, in a value or in one error with a short reason."""

import json
from pathlib import Path
from typing import Any, NoReturn

import yaml

TEXT_LIMIT = 1 << 26  # bytes
YAML_LIMIT = 1 << 20  # which is read much more slowly


class Unreadable(ValueError):
    """A file that cannot be read; the text says what it is, without its name."""


class Malformed(Unreadable):
    """Content of another format, or damaged."""


def read_text(path: Path, *, limit: int = TEXT_LIMIT) -> str:
    """Of a regular file in UTF-8, with or without a mark at its beginning."""
    try:
        if not path.is_file():  # reading a pipe would wait for ever
            raise Unreadable("not a regular file" if path.exists() else "there is no such file")
        if path.stat().st_size > limit:
            raise Unreadable(f"larger than {limit >> 20} MiB")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed("not UTF-8 text") from error
    except OSError as error:
        raise Unreadable(f"not readable ({error.strerror or error})") from error


def read_json(path: Path) -> Any:
    return parse_json(read_text(path))


def parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Malformed(f"not JSON ({error})") from error
    except RecursionError as error:
        raise Malformed("not JSON (nested too deeply)") from error
    except ValueError as error:
        raise Malformed("not JSON (a number with too many digits)") from error


def read_yaml(path: Path) -> Any:
    """Plain values."""
    text = read_text(path, limit=YAML_LIMIT)
    try:
        return yaml.load(text, _WithoutReferences)
    except RecursionError as error:
        raise Malformed("not YAML (nested too deeply)") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise Malformed(f"not YAML ({' '.join(str(error).split())})") from error


class _WithoutReferences(yaml.SafeLoader):
    """A few lines of references to references stand for billions of values."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            _refuse_reference(self.peek_event())
        return super().compose_node(parent, index)


def _refuse_reference(event: Any) -> NoReturn:
    raise yaml.composer.ComposerError(None, None, "references (*name) are not followed", event.start_mark)
