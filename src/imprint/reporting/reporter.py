"""What a training reports to files, trackers and the terminal, through Lightning's callbacks."""

import logging
import math
import resource
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import pytorch_lightning as pl
import torch
from pydantic import PositiveInt
from pytorch_lightning import Callback
from pytorch_lightning.loggers.logger import Logger
from torch import Tensor
from torch.optim import Optimizer

from imprint.errors import UserError
from imprint.evaluation.samples import SampleProtocol
from imprint.kinds import of_kind
from imprint.manifest import Training
from imprint.reporting.local import LocalLogger
from imprint.reporting.metrics_file import final_loss
from imprint.reporting.progress import choose_progress
from imprint.reporting.samples import SamplePictures
from imprint.reporting.tracking.loggers import LoggerChoice, Tracker
from imprint.reporting.tracking.session import WandbSettings
from imprint.reporting.tracking.wandb import wandb_tracker
from imprint.runs import Run

log = logging.getLogger(__name__)


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
        """The loggers and callbacks for a Trainer, in the order that they need.

        `config` is what `redacted` returned. The Trainer needs
        enable_progress_bar=True: one callback is the bar. `concluding` tells the loggers when training has ended.
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


class Listener(Protocol):
    def log_metrics(self, metrics: dict[str, float], step: int) -> None: ...


class StepRecorder(pl.Callback):
    """Logs the losses and learning rates of every optimiser step to the listeners, `every` steps at a time.

    Until then the values are kept on the device. They are also logged before every checkpoint, so that the metrics file
    has all steps of a checkpoint, and when training ends or fails.

    Step n is the state after n updates. The module keeps the step's losses in `last_losses`, a `Losses`.
    """

    def __init__(self, *, every: int, listeners: Sequence[Listener]) -> None:
        self._every = every
        self._listeners = listeners
        self._step = 0
        self._rates: dict[str, float] = {}
        self._waiting: list[tuple[int, Tensor, dict[str, float]]] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._step = trainer.global_step
        for listener in self._listeners:
            if isinstance(listener, LocalLogger | Tracker):
                listener.rewind(self._step)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        # Read here, since the schedule has already moved on when the batch ends.
        for index, group in enumerate(optimizer.param_groups):
            self._rates[f"lr/{group.get('name', index)}"] = float(group["lr"])

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == self._step:
            return  # gradients are still being accumulated
        self._step = trainer.global_step
        if not trainer.is_global_zero:
            return
        losses: Any = pl_module.last_losses
        values = torch.stack([losses.total, losses.instance, losses.prior]).detach()
        self._waiting.append((self._step, values, dict(self._rates)))
        if self._step % self._every == 0:
            self.flush()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self.flush()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.flush()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        try:
            self.flush()
        except Exception as error:  # a full disk, a lost device: it must not hide the exception that came first
            log.warning("The metrics of the last steps are lost: %s", error)

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        # Only this waits for the device.
        rows = torch.stack([values for _, values, _ in waiting]).tolist()
        for (step, _, rates), (total, instance, prior) in zip(waiting, rows, strict=True):
            parts = {"loss/instance": instance, "loss/prior": prior}
            # A part without samples has no mean.
            metrics = {
                "loss": total,
                **{name: value for name, value in parts.items() if not math.isnan(value)},
                **rates,
            }
            for listener in self._listeners:
                listener.log_metrics(metrics, step)


class RunSummary(pl.Callback):
    """Keeps the manifest's `training` entry: steps, seconds (of all sessions), loss, peak_memory_bytes.

    It is written at each checkpoint, at the end and at a failure; at the end it is logged to the trackers too.
    It reads the metrics file, so it must come after the recorder.
    """

    def __init__(self, run: Run, trackers: Sequence[Tracker]) -> None:
        self._run = run
        self._trackers = trackers
        self._began = time.monotonic()
        self._earlier = Training()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._began = time.monotonic()
        self._earlier = self._run.read().training if trainer.global_step else Training()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._note(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        try:
            self._note(trainer)
        except UserError as error:  # it must not hide the exception that came first
            log.warning("The manifest could not be brought up to date: %s", error)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        facts = self._note(trainer)
        for tracker in self._trackers:
            tracker.log_summary(facts)

    def _note(self, trainer: pl.Trainer) -> dict[str, Any]:
        if not trainer.is_global_zero:
            return {}
        peak = peak_memory(trainer.strategy.root_device)
        facts = {
            "steps": trainer.global_step,
            "seconds": round((self._earlier.seconds or 0) + time.monotonic() - self._began, 3),
            "loss": final_loss(self._run.metrics),
            "peak_memory_bytes": max(peak, self._earlier.peak_memory_bytes),
        }
        self._run.note({"training": facts})
        return facts


def peak_memory(device: torch.device) -> int:
    """Bytes: the most that this process has held on `device`, or in main memory where the device is the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
