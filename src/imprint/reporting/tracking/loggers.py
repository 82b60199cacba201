"""The interface of trackers, and those other than Weights & Biases: TensorBoard, and Lightning's own CSV."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from pydantic import PositiveInt
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from imprint.errors import UserError
from imprint.kinds import of_kind
from imprint.libraries.tensorboard import mark_restart
from imprint.pictures.files import open_picture
from imprint.runs import Run


class SampleRow(NamedTuple):
    """One picture of the sampling protocol, and the untuned model's beside it."""

    prompt: str
    seed: int
    picture: Path
    untuned: Path | None


class Tracker(Logger):
    """A logger of more than metrics. What a tracker does not override does nothing."""

    def log_samples(self, step: int, rows: Sequence[SampleRow]) -> None:
        """Pictures generated after a step."""

    def log_summary(self, facts: Mapping[str, Any]) -> None:
        """The facts of a training that has ended."""

    def rewind(self, step: int) -> None:
        """Training goes on after `step`: later steps will be logged again."""

    def conclude(self, run: Run | None) -> None:
        """The last call: the finished run with its result, or None where training failed."""


@contextmanager
def concluding(loggers: Sequence[Logger], run: Run) -> Iterator[None]:
    """Within, the run is trained and its result written; afterwards each tracker's `conclude` is called."""
    trackers = [logger for logger in loggers if isinstance(logger, Tracker)]
    try:
        yield
    except BaseException:
        for tracker in trackers:
            tracker.conclude(None)
        raise
    for tracker in trackers:
        tracker.conclude(run)


class LoggerChoice(ABC):
    """What a YAML in conf/report/loggers configures. Its constructor raises UserError where a package is missing."""

    @abstractmethod
    def tracker(self, run: Run, *, config: Mapping[str, Any]) -> Tracker:
        """It writes below the run's folder. `config` is free of secrets."""


@of_kind("logger/tensorboard")
class TensorBoard(LoggerChoice):
    def __init__(self, *, flush_seconds: PositiveInt) -> None:
        self._flush_seconds = flush_seconds
        if find_spec("tensorboard") is None:
            raise UserError(
                "report/loggers=tensorboard: TensorBoard is not installed. "
                'Run pip install "imprint-diffusion[tensorboard]", or leave it out.'
            )

    def tracker(self, run: Run, *, config: Mapping[str, Any]) -> Tracker:
        return TensorBoardTracker(run, config, self._flush_seconds)


class TensorBoardTracker(Tracker, TensorBoardLogger):
    """Writes to the run's tensorboard/, so that `tensorboard --logdir outputs` shows runs by their names."""

    def __init__(self, run: Run, config: Mapping[str, Any], flush_seconds: int) -> None:
        TensorBoardLogger.__init__(
            self,
            str(run.folder),
            name="tensorboard",
            version="",
            default_hp_metric=False,
            flush_secs=flush_seconds,
        )
        self._config = config

    @rank_zero_only
    def rewind(self, step: int) -> None:
        """Marks the file, so that its readers drop the steps that will be taken again."""
        if step:
            mark_restart(self.experiment, step + 1)
        else:
            self.experiment.add_text("config", f"<pre>{yaml.safe_dump(dict(self._config), sort_keys=False)}</pre>")

    @rank_zero_only
    def log_samples(self, step: int, rows: Sequence[SampleRow]) -> None:
        for row in rows:
            pixels_HWC = np.asarray(open_picture(row.picture))
            self.experiment.add_image(f"{row.prompt}/seed {row.seed}", pixels_HWC, step, dataformats="HWC")

    @rank_zero_only
    def log_summary(self, facts: Mapping[str, Any]) -> None:
        self.experiment.add_text("summary", f"<pre>{yaml.safe_dump(dict(facts), sort_keys=False)}</pre>")


@of_kind("logger/csv")
class Csv(LoggerChoice):
    def __init__(self, *, flush_every: PositiveInt) -> None:
        self._flush_every = flush_every

    def tracker(self, run: Run, *, config: Mapping[str, Any]) -> Tracker:
        return CsvTracker(run, config, self._flush_every)


class CsvTracker(Tracker, CSVLogger):
    """Each start has a folder of its own, csv/version_0, version_1, ...: in a folder that is there Lightning would
    delete what the first start wrote."""

    def __init__(self, run: Run, config: Mapping[str, Any], flush_every: int) -> None:
        CSVLogger.__init__(self, str(run.folder), name="csv", flush_logs_every_n_steps=flush_every)
        self._config = config

    def rewind(self, step: int) -> None:
        self.log_hyperparams(dict(self._config))
