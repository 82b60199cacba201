"""Progress of a training in the terminal: in optimiser steps of the whole run, never epochs."""

import logging
import sys
import time
from datetime import timedelta
from typing import Any, Literal

import pytorch_lightning as pl
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

ProgressKind = Literal["rich", "plain", "off"]

SMOOTHING = 0.95
PLAIN_SECONDS = 15

log = logging.getLogger(__name__)


class StepProgress(ProgressBar):
    """Follows the optimiser step; a StepRecorder gives it losses and learning rates. Shows nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = ""
        self.rate = ""
        self._mean: float | None = None

    def disable(self) -> None:
        """Lightning calls this on all processes but the first, and `begin` is only called on the first."""

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        loss = metrics["loss"]
        self._mean = loss if self._mean is None else SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        self.loss = f"{self._mean:.4f}"
        rates = [value for name, value in metrics.items() if name.startswith("lr/")]
        self.rate = " ".join(f"{rate:.2g}" for rate in dict.fromkeys(rates))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            total = trainer.max_steps if trainer.max_steps > 0 else int(trainer.estimated_stepping_batches)
            self.begin(trainer.global_step, total)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_global_zero:
            self.work()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_global_zero:
            self.reach(trainer.global_step)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.end()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.end()

    def begin(self, step: int, total: int) -> None:
        """Training starts, or goes on, at `step`."""

    def work(self) -> None:
        """A step begins: at the first one, what was drawn before it is done."""

    def reach(self, step: int) -> None:
        """May be called with the same step again."""

    def end(self) -> None:
        """May be called twice."""


class RichProgress(StepProgress):
    """A bar with the loss, the rate, the speed, the time that passed and the time that is left."""

    def __init__(self, name: str, console: Console | None = None) -> None:
        super().__init__()
        self._name = name
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            BarColumn(bar_width=None, table_column=Column(min_width=8, ratio=1)),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  lr {task.fields[rate]}", style="cyan", table_column=_ONE_LINE),
            SpeedColumn(table_column=_ONE_LINE),
            console=console or Console(),
            speed_estimate_period=120,
            refresh_per_second=4,
            expand=True,
        )
        self._task = self._progress.add_task(name, total=None, start=False, loss="-", rate="-")

    def begin(self, step: int, total: int) -> None:
        # Steps of an earlier session count as done, but not for the speed of this one.
        self._progress.reset(self._task, total=total, completed=step, loss="-", rate="-")
        self._progress.start()

    def reach(self, step: int) -> None:
        self._progress.update(self._task, completed=step, loss=self.loss or "-", rate=self.rate or "-")

    def end(self) -> None:
        self._progress.stop()


class PlainProgress(StepProgress):
    """One log line every few seconds, for files and clusters."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._first = self._last = self._total = 0
        self._began = self._logged = 0.0
        self._running = self._working = False

    def begin(self, step: int, total: int) -> None:
        self._first = self._last = step
        self._total = total
        self._began = self._logged = time.monotonic()
        self._running, self._working = True, False
        log.info("%s: step %d of %d", self._name, step, total)

    def work(self) -> None:
        if not self._working:
            self._working, self._began = True, time.monotonic()

    def reach(self, step: int) -> None:
        self._last = step
        if time.monotonic() - self._logged >= PLAIN_SECONDS:
            self._log()

    def end(self) -> None:
        if self._running:
            self._log()
        self._running = False

    def _log(self) -> None:
        self._logged = time.monotonic()
        elapsed = self._logged - self._began
        speed = (self._last - self._first) / elapsed if elapsed > 0 else 0.0
        parts = [f"step {self._last}/{self._total}"]
        if self.loss:
            parts += [f"loss {self.loss}", f"lr {self.rate}"]
        if speed > 0:
            parts += [_speed(speed), _clock(elapsed), f"{_clock((self._total - self._last) / speed)} left"]
        log.info("%s: %s", self._name, "  ".join(parts))


class SpeedColumn(ProgressColumn):
    """Steps a second, the time since the start, the time that is left."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        left = "-:--:--" if task.time_remaining is None else _clock(task.time_remaining)
        speed = task.finished_speed or task.speed
        return Text(f"{_speed(speed)}  {_clock(task.elapsed or 0)} < {left}", style="dim")


def choose_progress(kind: ProgressKind, name: str) -> StepProgress:
    """A bar needs a terminal: without one, "rich" is plain lines."""
    if kind == "off":
        return StepProgress()
    if kind == "rich" and sys.stdout.isatty():
        return RichProgress(name)
    return PlainProgress(name)


_ONE_LINE = Column(no_wrap=True)


def _speed(speed: float | None) -> str:
    if not speed:
        return "- it/s"
    return f"{speed:.2f} it/s" if speed >= 1 else f"{1 / speed:.1f} s/it"


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
