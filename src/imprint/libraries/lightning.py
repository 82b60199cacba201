"""Behaviour of Lightning's trainer that has no public setting. Tested with pytorch-lightning 2.6.6."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only


def precision_of(trainer: pl.Trainer) -> AbstractContextManager[None]:
    """The precision of a training step, for other forward passes. Lightning enters it around its own hooks, and has no
    public way to do so elsewhere."""
    context: AbstractContextManager[None] = trainer.precision_plugin.forward_context()
    return context


class StaysOnDevice(pl.LightningModule):
    """A module that stays on its device when the trainer ends. Lightning would move it to the CPU, by calling `cpu`,
    even if others use the same weights."""

    def cpu(self) -> "StaysOnDevice":
        return self


def process_rank() -> int:
    """This process's rank, before there is a trainer. Lightning reads the environment variables of all launchers and
    clusters that it supports, and keeps the result in this attribute."""
    return int(getattr(rank_zero_only, "rank", 0))


@contextmanager
def command_line(program: str, arguments: Sequence[str]) -> Iterator[None]:
    """Lets Lightning start the other processes of a run by `python -m <program> <arguments>`. It takes the command line
    from `sys.argv` and the main module's `__spec__`, and accepts no other."""
    main = sys.modules["__main__"]
    before = sys.argv, main.__spec__
    sys.argv = [sys.argv[0], *arguments]
    main.__spec__ = find_spec(program)
    try:
        yield
    finally:
        sys.argv, main.__spec__ = before


@contextmanager
def interruptible() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, as usual. Lightning turns it into SystemExit, as if the run had failed, and
    ignores further ones."""
    try:
        yield
    except SystemExit as error:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from error
