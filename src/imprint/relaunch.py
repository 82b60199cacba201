"""The command line that starts this very run again.

Lightning starts the other processes of a multi-device run with the command line of the first. In a sweep that would
start the whole sweep again, and in a process that a launcher started, another program: so each run shows it a command
line of its own.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from hydra.core.hydra_config import HydraConfig

PROGRAM = "imprint.cli"
ALONE = "hydra.mode=RUN"  # where a verb is a sweep by itself: one of its points


@contextmanager
def single_run_command_line() -> Iterator[None]:
    """Lightning reads it as `python -m <the main module> <the arguments>`."""
    main = sys.modules["__main__"]
    before = sys.argv, main.__spec__
    if HydraConfig.initialized():
        job = HydraConfig.get()
        sys.argv = [sys.argv[0], str(job.job.config_name), *_folders(), *job.overrides.task, ALONE]
        main.__spec__ = find_spec(PROGRAM)
    try:
        yield
    finally:
        sys.argv, main.__spec__ = before


def _folders() -> list[str]:
    """The user's own configuration, as it was given to the first process."""
    given = [source.path for source in HydraConfig.get().runtime.config_sources if source.provider == "command-line"]
    searched = [text for text in HydraConfig.get().overrides.hydra if text.startswith("hydra.searchpath=")]
    return [*(f"--config-dir={folder}" for folder in given), *searched]
