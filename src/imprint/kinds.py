"""Stable names of the classes that a configuration can name: `method/lora` is a LoRA in whichever module.

A YAML names a class by its import path (`_target_`), which may change. Whatever is written to a file or hashed
(identity, manifest, labels, fingerprints) names it by its kind, a group and a name. A class of the user's own without
a kind is named by its path.
"""

import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from inspect import isclass
from pkgutil import walk_packages
from typing import Any, TypeVar

from imprint.first_release import KINDS, PATHS

TARGET = "_target_"  # in a node of a configuration: the import path of its class
KIND = "_kind_"  # in what is written to files: its kind

# The package or module with the classes of a group. New classes are found there; only a new group needs a line.
HOMES: Mapping[str, str] = {
    "model": "imprint.models",
    "quantisation": "imprint.models.quantisation",
    "sampler": "imprint.types",
    "hires": "imprint.pictures",
    "upscaler": "imprint.results",
    "method": "imprint.methods",
    "dataset": "imprint.data",
    "collection": "imprint.data",
    "prior": "imprint.data",
    "objective": "imprint.objectives",
    "weighting": "imprint.objectives",
    "times": "imprint.objectives",
    "hparams": "imprint.training",
    "rate": "imprint.training",
    "trainer": "imprint.training",
    "samples": "imprint.evaluation",
    "watch": "imprint.evaluation",
    "evaluation": "imprint.evaluation",
    "prompt_set": "imprint.evaluation",
    "encoder": "imprint.evaluation",
    "transform": "imprint.evaluation",
    "metric": "imprint.evaluation",
    "report": "imprint.reporting",
    "logger": "imprint.reporting",
    "provenance": "imprint.provenance",
    "synthesis": "imprint.synthesis",
    "prompts": "imprint.synthesis",
    "filter": "imprint.filters",
    "masks": "imprint.masks",
    "data_format": "imprint.labelled.formats",
    "task": "imprint.study",
    "arm": "imprint.study",
    "learner": "imprint.study",
    "augmentation": "imprint.study",
}
# Optimisers that conf/ names: classes of other libraries, and functions that make them.
LIBRARIES: Mapping[str, str] = {
    "torch.optim.AdamW": "optimizer/adamw",
    "torch.optim.SGD": "optimizer/sgd",
    "bitsandbytes.optim.AdamW8bit": "optimizer/adamw8bit",
    "bitsandbytes.optim.PagedAdamW8bit": "optimizer/paged_adamw8bit",
    "transformers.optimization.Adafactor": "optimizer/adafactor",
    "imprint.training.bfloat16.adamw_kahan": "optimizer/adamw_kahan",
    "imprint.training.bfloat16.adamw_stochastic": "optimizer/adamw_stochastic",
}
ATTRIBUTE = "__imprint_kind__"

C = TypeVar("C", bound=type)


def of_kind(name: str) -> Callable[[C], C]:
    """Decorates a class that configurations can name: @of_kind("method/lora"). Subclasses have kinds of their own."""

    def named(cls: C) -> C:
        setattr(cls, ATTRIBUTE, name)
        return cls

    return named


def kind_of(cls: Any) -> str | None:
    return vars(cls).get(ATTRIBUTE) if isclass(cls) else None


def kind_at(path: str) -> str | None:
    """The kind of the class with this import path, now or at the first release. Imports nothing."""
    return LIBRARIES.get(path) or kind_of(class_at(path)) or KINDS.get(path)


def class_at(path: str) -> Any:
    """What has this import path, if its module is imported already, as by a configuration's construction. Else None."""
    module, _, name = path.rpartition(".")
    return vars(sys.modules[module]).get(name) if module in sys.modules else None


def class_in(node: Mapping[str, Any]) -> Any:
    """The class that a node of a configuration describes; None where there is none."""
    return class_of(str(node[KIND])) if KIND in node else class_at(str(node.get(TARGET, "")))


def class_of(kind: str) -> type | None:
    """imprint's own class of this kind; None where there is none."""
    group = kind.partition("/")[0]
    return _classes(HOMES[group]).get(kind) if group in HOMES else None


def names_in(group: str) -> list[str]:
    """Those of imprint's own classes of a group."""
    return sorted(label(kind) for kind in _classes(HOMES[group]) if kind.startswith(f"{group}/"))


@cache
def _classes(home: str) -> Mapping[str, type]:
    """The classes that a package's modules define, by kind."""
    package = import_module(home)
    inside = walk_packages(package.__path__, f"{home}.") if hasattr(package, "__path__") else ()
    found: dict[str, type] = {}
    for module in [package, *(import_module(module.name) for module in inside)]:
        for value in vars(module).values():
            if (kind := kind_of(value)) and value.__module__ == module.__name__:
                assert found.setdefault(kind, value) is value, f"two classes are called {kind}"
    return found


def name_of(node: Mapping[str, Any]) -> str:
    """The kind of the class that a node of a configuration describes; of a user's own without one, the import path."""
    path = str(node.get(TARGET, ""))
    return str(node.get(KIND) or kind_at(path) or path)


def label_of(node: Mapping[str, Any]) -> str:
    """The same as a short label: lora."""
    return label(name_of(node))


def label(name: str) -> str:
    return name.rpartition("/" if "/" in name else ".")[2]


def hashed_name(name: str) -> str:
    """The name that is hashed for a kind."""
    return PATHS.get(name, name)


def hashed_class(cls: type) -> str:
    """The name that is hashed for a class where its bare name was hashed at the first release."""
    kind = kind_of(cls)
    return cls.__qualname__ if kind is None else label(PATHS[kind]) if kind in PATHS else kind


def recorded(tree: Any) -> Any:
    """A configuration as it is written to files: with kinds in place of import paths, for classes that have one."""
    if isinstance(tree, list):
        return [recorded(part) for part in tree]
    if not isinstance(tree, Mapping):
        return tree
    found = kind_at(tree[TARGET]) if isinstance(tree.get(TARGET), str) else None
    return {
        **({KIND: found} if found else {}),
        **{name: recorded(part) for name, part in tree.items() if not (found and name == TARGET)},
    }


def own_classes(tree: Any) -> list[str]:
    """The import paths in a configuration whose classes have no kind: the user's own."""
    if not isinstance(tree, Mapping):
        return []
    path = tree.get(TARGET)
    own = [path] if isinstance(path, str) and kind_at(path) is None else []
    return own + [path for part in tree.values() for path in own_classes(part)]


def former_defaults(cls: Any) -> dict[str, Any]:
    """Settings that were added to a class later, and the values that mean the former behaviour.

    Each class of a hierarchy has its own, as `former_defaults = {"setting": value}`. With these values, a setting is
    left out of identities, cache keys and fingerprints; where an older manifest lacks it, it has this value.
    """
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__) if isclass(cls) else ():
        found |= vars(base).get("former_defaults", {})
    return found


def hashed_settings(cls: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that have their former default."""
    former = former_defaults(cls)
    return {name: value for name, value in settings.items() if name not in former or value != former[name]}
