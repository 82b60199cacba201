"""The command line that starts this very run again.

Lightning starts the other processes of a multi-device run with the command line of the first. In a grid that would
start the whole grid again, so each point shows it the command line of its own.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig


@contextmanager
def single_run_command_line() -> Iterator[None]:
    before = sys.argv
    if HydraConfig.initialized():
        given, _ = get_args_parser().parse_known_args(before[1:])
        folder = [f"--config-dir={given.config_dir}"] if given.config_dir else []
        sys.argv = [before[0], "train", *folder, *HydraConfig.get().overrides.task]
    try:
        yield
    finally:
        sys.argv = before
