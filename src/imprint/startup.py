"""A program's parts: imported quietly, with little search for garbage, for a processor that computes fast."""

import sys
from importlib import import_module
from types import ModuleType

from imprint.libraries.process import compute_without_denormals, little_garbage_collection, quiet_libraries


def imported(name: str) -> ModuleType:
    """The module, with all that it brings along, faster than by `import`. For programs alone, since it is about the
    whole process."""
    if name in sys.modules:  # what is frozen must not hold what a point of a sweep has left behind
        return sys.modules[name]
    with little_garbage_collection():
        quiet_libraries()
        module = import_module(name)
        compute_without_denormals()
        return module
