"""Model libraries that load and save without progress bars and remarks of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

LIBRARIES = (diffusers_logging, transformers_logging)


@contextmanager
def quiet() -> Iterator[None]:
    """Errors are still told, and everything is as it was afterwards."""
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in LIBRARIES]
    for library in LIBRARIES:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, (verbosity, progress) in zip(LIBRARIES, before, strict=True):
            library.set_verbosity(verbosity)
            if progress:
                library.enable_progress_bar()
