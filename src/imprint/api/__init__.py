"""What programs and notebooks use: train, open a run, read its scores and pictures, generate with it."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from imprint.api.commands import command, compose
from imprint.api.run import Picture, Run
from imprint.api.scores import Score
from imprint.api.sweep import Sweep
from imprint.errors import UserError
from imprint.libraries.process import without_denormals
from imprint.locations import locate

__all__ = ["Picture", "Run", "Score", "Sweep", "command", "compose", "open", "synthesise", "train"]


def train(*overrides: str, configuration: DictConfig | None = None) -> Run:
    """Does what `imprint train <overrides>` does, and returns the finished run.

    The same call again resumes a run that was interrupted, and returns one that is finished. A `configuration` from
    `compose` takes the place of overrides. Raises UserError, with all mistakes at once, before a model is loaded.
    """
    if configuration is not None and overrides:
        raise UserError("Give either overrides or a configuration: compose(*overrides) takes them.")
    composed = compose(*overrides) if configuration is None else configuration

    from imprint.verbs import train as verb  # only now: a misspelt key needs no PyTorch to be refused

    with without_denormals():
        trained = verb.train(composed)
    return Run(trained.folder, trust=trained.trust)


def synthesise(*overrides: str) -> Path:
    """Does what `imprint synthesise <overrides>` does, and returns the data set's folder.

    The same call again draws what is missing. One with several values of a key makes a data set for each: that is
    `command("synthesise", ...)`. Raises UserError, with all mistakes at once, before anything is trained or drawn.
    """
    folder = compose(*overrides, verb="synthesise").out
    command("synthesise", *overrides)
    return locate(folder)


def open(folder: str | Path, *, trust: Sequence[str] = ()) -> Run:
    """The run that lies in `folder`, finished or not.

    A run may have been trained with classes of your own. Their import paths, as in `trust=["my_package.MyMethod"]`,
    say that these may be used to open it; without that only imprint's own classes are.
    """
    return Run(folder, trust=trust)
