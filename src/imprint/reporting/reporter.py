"""Who hears of a run."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import PositiveInt
from pytorch_lightning import Callback
from pytorch_lightning.loggers.logger import Logger

from imprint.evaluation.samples import SampleProtocol
from imprint.kinds import of_kind
from imprint.reporting.local import LocalLogger
from imprint.reporting.progress import choose_progress
from imprint.reporting.samples import SamplePictures
from imprint.reporting.steps import StepRecorder
from imprint.reporting.summary import RunSummary
from imprint.reporting.tracking.more import LoggerChoice
from imprint.reporting.tracking.settings import WandbSettings
from imprint.reporting.tracking.wandb import wandb_tracker
from imprint.runs import Run


@of_kind("report/default")
class Reporter:
    """Local files always; Weights & Biases, other loggers and the terminal as configured."""

    def __init__(
        self,
        *,
        every: PositiveInt,
        progress: Literal["rich", "plain", "off"],
        wandb: WandbSettings,
        loggers: dict[str, LoggerChoice],
    ) -> None:
        self.every = every
        self.progress = progress
        self.wandb = wandb
        self.loggers = loggers

    def attach(
        self, run: Run, *, config: Mapping[str, Any], protocol: SampleProtocol, name: str
    ) -> tuple[list[Logger], list[Callback]]:
        """The loggers and callbacks for a Trainer, in the order in which they must stand.

        `config` is what `redacted` returned. The Trainer needs
        enable_progress_bar=True: one callback is the bar. When training has ended, `concluding` tells the loggers.
        """
        local = LocalLogger(run.metrics)
        wandb = wandb_tracker(self.wandb, run, name=name, config=config)
        others = [choice.tracker(run, config=config) for choice in self.loggers.values()]
        trackers = [*([wandb] if wandb else []), *others]
        bar = choose_progress(self.progress, name)
        callbacks: list[Callback] = [
            StepRecorder(every=self.every, listeners=[local, *trackers, bar]),
            bar,
            SamplePictures(run, protocol, trackers),
            RunSummary(run, trackers),
        ]
        return [local, *trackers], callbacks
