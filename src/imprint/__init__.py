"""imprint: teach a text-to-image diffusion model a subject from a few pictures, and measure how well it took."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imprint.api import Picture, Run, Score, Sweep, command, compose, open, synthesise, train
    from imprint.errors import UserError
    from imprint.libraries.process import quiet_libraries
    from imprint.locations import locate

__version__ = "0.1.0"

__all__ = [
    "Picture",
    "Run",
    "Score",
    "Sweep",
    "UserError",
    "__version__",
    "command",
    "compose",
    "locate",
    "open",
    "quiet_libraries",
    "synthesise",
    "train",
]

_HOMES = {  # of what does not come from the API
    "UserError": "imprint.errors",
    "locate": "imprint.locations",
    "quiet_libraries": "imprint.libraries.process",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for only then, so that `import imprint` costs nothing."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "imprint.api")), name)


def __dir__() -> list[str]:
    return __all__
