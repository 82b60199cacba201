"""What Lightning's trainer does that cannot be told otherwise. Seen with pytorch-lightning 2.6.6."""

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec

import pytorch_lightning as pl
from pytorch_lightning.utilities import rank_zero_only


def precision_of(trainer: pl.Trainer) -> AbstractContextManager[None]:
    """The precision of a training step, for other passes through the network. Lightning enters it around its own
    hooks, and has no public way to do so elsewhere."""
    context: AbstractContextManager[None] = trainer.precision_plugin.forward_context()
    return context


class StaysOnDevice(pl.LightningModule):
    """A module that the trainer leaves where it is when it ends: otherwise it moves the module to the CPU, by calling
    `cpu`, whatever else uses the same weights."""

    def cpu(self) -> "StaysOnDevice":
        return self


def process_rank() -> int:
    """This process's place among all of the run, before there is a trainer to ask. Lightning reads the variables of all
    launchers and clusters that it knows, and leaves the result in this attribute."""
    return int(getattr(rank_zero_only, "rank", 0))


@contextmanager
def command_line(program: str, arguments: Sequence[str]) -> Iterator[None]:
    """`python -m <program> <arguments>` is how Lightning starts the other processes of a run: it takes the command line
    of this process from `sys.argv` and the main module's `__spec__`, and cannot be given another."""
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
    """Ctrl-C raises KeyboardInterrupt, as everywhere. Lightning makes an exit of it, as if the run had failed, and
    turns further ones off."""
    try:
        yield
    except SystemExit as error:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from error
