"""What a run cost, and where its loss ended."""

import logging
import resource
import sys
import time
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch

from imprint.errors import UserError
from imprint.manifest import Training
from imprint.reporting.local import final_loss
from imprint.reporting.tracking.tracker import Tracker
from imprint.runs import Run

log = logging.getLogger(__name__)


class RunSummary(pl.Callback):
    """Keeps the manifest's `training` entry: steps, seconds (of all sessions), loss, peak_memory_bytes.

    It is written at each checkpoint, at the end and at a failure; at the end it goes to the trackers too.
    It reads the metrics file, so it stands behind the recorder.
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
    """Bytes: what this process ever held on `device`, or in main memory where the device is the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
