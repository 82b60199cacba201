"""Configuration into objects: the signatures are the schema.

Every problem in a tree is found before any is reported. Hydra's own `instantiate` stops at the first one, does not
check types, and passes plain lists and mappings where a signature names a tuple or a record; hence these few lines.
"""

import functools
import importlib
import inspect
from collections.abc import Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from imprint.errors import Problem, UserError
from imprint.suggestions import nearest

TARGET = "_target_"
PARTIAL = "_partial_"
BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Constructor:
    """Builds nodes of a resolved configuration and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problem | str] = []

    def build(self, node: Any, key: str) -> Any:
        """The object that `node` describes, or None if it has problems; they are then in `self.problems`."""
        before = len(self.problems)
        value = self._value(node, key)
        return value if len(self.problems) == before else None

    def arguments(self, target: Any, node: Mapping[str, Any], key: str) -> dict[str, Any]:
        """What `node` gives to `target`, each built and checked on its own: None where there is a problem."""
        hints = _hints(target)
        return {name: self._argument(value, hints.get(name, Any), join(key, name)) for name, value in node.items()}

    def check_names(self, target: Any, node: Mapping[str, Any], key: str, *, complete: bool = True) -> None:
        """Every key is one that `target` takes and, if the node is to be complete, none is missing."""
        parameters = _parameters(target)
        open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
        known = {name: parameter for name, parameter in parameters.items() if parameter.kind in BY_NAME}
        for name, value in node.items():
            if name not in known and not open_ended:
                self.problems.append(Problem(join(key, name), value, f"unknown key; {nearest(name, known)}"))
        for name, parameter in known.items():
            if complete and name not in node and parameter.default is parameter.empty:
                self.problems.append(f"{join(key, name)} is missing; give {join(key, name)}=...")

    def _argument(self, value: Any, hint: Any, key: str) -> Any:
        before = len(self.problems)
        built = self._value(value, key)
        return self._typed(built, hint, key) if len(self.problems) == before else None

    def _value(self, node: Any, key: str) -> Any:
        if isinstance(node, Mapping) and TARGET in node:
            return self._object(node, key)
        if isinstance(node, Mapping):
            return {name: self._value(part, join(key, name)) for name, part in node.items()}
        return node

    def _object(self, node: Mapping[str, Any], key: str) -> Any:
        before = len(self.problems)
        target = self._target(node, key)
        if target is None:
            return None
        given = {name: value for name, value in node.items() if name not in (TARGET, PARTIAL)}
        partial = bool(node.get(PARTIAL, False))
        self.check_names(target, given, key, complete=not partial)
        arguments = self.arguments(target, given, key)
        if len(self.problems) > before:
            return None
        return functools.partial(target, **arguments) if partial else self._made(target, arguments, key)

    def _target(self, node: Mapping[str, Any], key: str) -> Any:
        path = str(node[TARGET])
        module, _, name = path.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError as error:
            remedy = f"cannot be imported ({error}). Install the package that it belongs to, or mend the name."
            self.problems.append(Problem(join(key, TARGET), path, remedy))
        except (AttributeError, ValueError):
            self.problems.append(Problem(join(key, TARGET), path, "there is no such class or function."))
        return None

    def _made(self, target: Any, arguments: Mapping[str, Any], key: str) -> Any:
        try:
            return target(**arguments)
        except UserError as error:
            self.problems.append(str(error))
        except ValueError as error:
            self.problems.extend(join(key, line) for line in str(error).splitlines())
        return None

    def _typed(self, value: Any, hint: Any, key: str) -> Any:
        if isinstance(value, str) and value == "???":
            self.problems.append(f"{key} has no value; give {key}=...")
            return None
        try:
            return _adapter(hint).validate_python(value)
        except ValidationError as error:
            for problem in error.errors():
                inner = [str(part) for part in problem["loc"] if _is_key(value, part)]
                self.problems.append(Problem(".".join([key, *inner]), problem["input"], f"{_plain(problem['msg'])}."))
        return None


def join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _is_key(value: Any, part: Any) -> bool:
    """Pydantic's location also names the branches of a union, which mean nothing to the user."""
    return (isinstance(value, Mapping) and part in value) or isinstance(part, int)


@functools.cache
def _parameters(target: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(target).parameters


@functools.cache
def _hints(target: Any) -> Mapping[str, Any]:
    """The annotations of what `target` takes; none for a library's class whose annotations cannot be read."""
    try:
        own_init = inspect.isclass(target) and not issubclass(target, tuple)
        return get_type_hints(target.__init__ if own_init else target, include_extras=True)
    except (NameError, TypeError):
        return {}


def _adapter(hint: Any) -> TypeAdapter[Any]:
    """Made once for each hint, since it takes longer than what it is for."""
    try:
        return _kept_adapter(hint)
    except TypeError:  # one that cannot be looked up
        return _new_adapter(hint)


def _new_adapter(hint: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError:  # the hint brings a configuration of its own
        return TypeAdapter(hint)


_kept_adapter = functools.cache(_new_adapter)


def _plain(message: str) -> str:
    return message[0].lower() + message[1:].rstrip(".")
