"""The command line that starts this very run again.

Lightning starts the other processes of a multi-device run with the command line of the first. In a sweep that would
start the whole sweep again, and in a process that a launcher started, another program: so each run shows it a command
line of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from hydra.core.hydra_config import HydraConfig

from imprint.libraries.lightning import command_line

PROGRAM = "imprint.cli"
ALONE = "hydra.mode=RUN"  # where a verb is a sweep by itself: one of its points


@contextmanager
def single_run_command_line() -> Iterator[None]:
    if not HydraConfig.initialized():
        yield
        return
    job = HydraConfig.get()
    with command_line(PROGRAM, [str(job.job.config_name), *_folders(), *job.overrides.task, ALONE]):
        yield


def _folders() -> list[str]:
    """The user's own configuration, as it was given to the first process."""
    given = [source.path for source in HydraConfig.get().runtime.config_sources if source.provider == "command-line"]
    searched = [text for text in HydraConfig.get().overrides.hydra if text.startswith("hydra.searchpath=")]
    return [*(f"--config-dir={folder}" for folder in given), *searched]
