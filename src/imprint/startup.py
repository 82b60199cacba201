"""Imports a program's modules when they are needed: quietly, with less garbage collection, with denormal numbers as
zero."""

import sys
from importlib import import_module
from types import ModuleType

from imprint.errors import UserError
from imprint.first_words import announcing
from imprint.libraries.process import (
    compute_without_denormals,
    little_garbage_collection,
    quiet_before_import,
    quiet_lightning,
)


def imported(name: str) -> ModuleType:
    """The module, imported faster than by `import`. For programs alone, since it changes settings of the whole
    process."""
    if name in sys.modules:  # otherwise garbage of a sweep's earlier points would be frozen, too
        return sys.modules[name]
    with announcing(), little_garbage_collection():
        quiet_before_import()
        module = import_module(name)
        quiet_lightning()
        compute_without_denormals()
        return module


def imported_with_extra(name: str, *, extra: str, key: str) -> ModuleType:
    """A module that needs an extra of imprint-diffusion. Raises UserError, about `key`, where that is not installed."""
    try:
        return imported(name)
    except ImportError as error:
        raise UserError(f"{key}: this needs {error.name}. pip install 'imprint-diffusion[{extra}]'") from error
