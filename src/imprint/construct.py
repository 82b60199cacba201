"""Configuration into objects: the signatures are the schema.

A configuration that the user gives may name any class. A run's manifest is data from others: only imprint's own classes
are constructed from it, and those that the user trusts by name (`rebuilt`).

All problems of a configuration are found before any is reported. Hydra's `instantiate` stops at the first one, does not
check types, and passes plain lists and mappings where a signature names a tuple or a record; that is why it is not
used.
"""

import collections.abc
import functools
import importlib
import inspect
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from imprint.errors import ConfigError, Problem, UserError, no_value
from imprint.kinds import KIND, TARGET, class_of, former_defaults, kind_of
from imprint.suggestions import nearest

PARTIAL = "_partial_"
EXTRAS = {"bitsandbytes": "adam8bit"}  # packages that conf/ names, and imprint's extras with them
INSTALL = "Install the package that it belongs to, or correct the name."
BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
PLAIN = (str, int, float, bool, bytes, type(None), list, tuple, set, dict)


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
        return {name: self.argument(value, hints.get(name, Any), join(key, name)) for name, value in node.items()}

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

    def argument(self, value: Any, hint: Any, key: str) -> Any:
        before = len(self.problems)
        built = self._value(value, key, hint)
        return self._typed(built, hint, key) if len(self.problems) == before else None

    def _value(self, node: Any, key: str, hint: Any = Any) -> Any:
        if isinstance(node, Mapping) and (TARGET in node or KIND in node):
            return self._object(node, key, hint)
        if isinstance(node, Mapping):
            return {name: self._value(part, join(key, str(name)), hint) for name, part in node.items()}
        return node

    def _object(self, node: Mapping[str, Any], key: str, hint: Any) -> Any:
        before = len(self.problems)
        target = self._target(node, key, hint)
        if target is None:
            return None
        given = self._given(node, target)
        partial = bool(node.get(PARTIAL, False))
        self.check_names(target, given, key, complete=not partial)
        arguments = self.arguments(target, given, key)
        if len(self.problems) > before:
            return None
        return functools.partial(target, **arguments) if partial else self._made(target, arguments, key)

    def _given(self, node: Mapping[str, Any], target: Any) -> dict[str, Any]:
        return {name: value for name, value in node.items() if name not in (TARGET, KIND, PARTIAL)}

    def _target(self, node: Mapping[str, Any], key: str, hint: Any) -> Any:
        """The class or function to be called. `hint` is the annotation of the setting."""
        return self._of_kind(str(node[KIND]), key) if KIND in node else self._at(str(node[TARGET]), key)

    def _of_kind(self, kind: str, key: str) -> Any:
        found = class_of(kind)
        if found is None:
            self.problems.append(Problem(join(key, KIND), kind, "this imprint has none such. A newer one may."))
        return found

    def _at(self, path: str, key: str) -> Any:
        module, _, name = path.rpartition(".")
        try:
            return getattr(importlib.import_module(module), name)
        except ImportError as error:
            extra = EXTRAS.get(path.partition(".")[0])
            remedy = f'Run pip install "imprint-diffusion[{extra}]".' if extra else INSTALL
            remedy = f"cannot be imported ({error}). {remedy}"
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
            self.problems.append(no_value(key))
            return None
        try:
            return _adapter(hint).validate_python(value)
        except ValidationError as error:
            for problem in error.errors():
                inner = [str(part) for part in problem["loc"] if _is_key(value, part)]
                reason = problem["msg"].removeprefix("Value error, ")  # of a validator of imprint's own
                self.problems.append(Problem(".".join([key, *inner]), problem["input"], f"{_plain(reason)}."))
        return None


class _Closed(Constructor):
    """Constructs only imprint's own classes and trusted ones, and only where a signature expects one.

    Settings that were added later than the configuration have the value that means the former behaviour.
    """

    def __init__(self, trust: Collection[str]) -> None:
        super().__init__()
        self._trusted = trust

    def _given(self, node: Mapping[str, Any], target: Any) -> dict[str, Any]:
        return {**former_defaults(target), **super()._given(node, target)}

    def _target(self, node: Mapping[str, Any], key: str, hint: Any) -> Any:
        """Imports nothing that is not known to be one of these."""
        takes = [each for each in _named(hint) if each not in PLAIN]
        if not takes:
            self.problems.append(Problem(key, dict(node), "a plain value belongs here; this was not made."))
            return None
        if KIND not in node and node[TARGET] not in self._trusted:
            path = str(node[TARGET])
            remedy = (
                "this is no class of imprint's, and nothing of it was imported or run. If it is your own, which the "
                f"run was trained with, say so: trust=[{path}]."
            )
            self.problems.append(Problem(join(key, TARGET), path, remedy))
            return None
        target = super()._target(node, key, hint)
        if inspect.isclass(target) and Any not in takes and not any(issubclass(target, each) for each in takes):
            expected = " or ".join(each.__name__ for each in takes)
            self.problems.append(Problem(key, kind_of(target) or target.__name__, f"{expected} is expected here."))
            return None
        return target


def rebuilt(
    node: Mapping[str, Any], key: str, expected: Any, *, manifest: Path | None = None, trust: Collection[str] = ()
) -> Any:
    """The part of a run, of type `expected`, that its manifest describes by `node`. `trust` are import paths of classes
    of the user's own. Raises ConfigError; nothing else that the manifest may name is imported or run."""
    constructor = _Closed(trust)
    part = constructor.argument(node, expected, key)
    if constructor.problems:
        place = f"{manifest}: " if manifest else ""
        raise ConfigError(f"{place}{problem}" for problem in constructor.problems)
    return part


def _named(hint: Any) -> Iterator[Any]:
    """The classes that an annotation names, at any depth; Any, where it allows anything."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Annotated:
        yield from _named(inside[0])
    elif origin is collections.abc.Callable:
        yield from _named(inside[-1])
    elif origin is not Literal and inside:
        for each in inside:
            yield from _named(each)
    elif hint is Any or inspect.isclass(hint):
        yield hint


def join(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _is_key(value: Any, part: Any) -> bool:
    """Pydantic's location also names the branches of a union, which the user does not know."""
    return (isinstance(value, Mapping) and part in value) or isinstance(part, int)


@functools.cache
def _parameters(target: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(target).parameters


@functools.cache
def _hints(target: Any) -> Mapping[str, Any]:
    """The annotations of `target`'s parameters; none for a library's class whose annotations cannot be read."""
    try:
        own_init = inspect.isclass(target) and not issubclass(target, tuple)
        return get_type_hints(target.__init__ if own_init else target, include_extras=True)
    except (NameError, TypeError):
        return {}


def _adapter(hint: Any) -> TypeAdapter[Any]:
    """Cached, since constructing one takes longer than a validation."""
    try:
        return _cached_adapter(hint)
    except TypeError:  # not hashable
        return _new_adapter(hint)


def _new_adapter(hint: Any) -> TypeAdapter[Any]:
    """Numbers have to be finite."""
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False))
    except PydanticUserError:  # the hint brings a configuration of its own
        return TypeAdapter(hint)


_cached_adapter = functools.cache(_new_adapter)


def _plain(message: str) -> str:
    return message[0].lower() + message[1:].rstrip(".")
