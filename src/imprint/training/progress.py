"""What a run has learned so far, kept on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from imprint.files import folder_atomically
from imprint.runs import Run
from imprint.training.module import TrainingModule


class ResultsOnTheWay(pl.Callback):
    """Saves the result as it is every so many steps, and names it in the manifest. The last one is the run's result.

    What an interrupted run had saved beyond its checkpoint, it saves again when it goes on, the same.
    """

    def __init__(self, run: Run, every: int, save: Callable[[TrainingModule, Path, int], None]) -> None:
        self._run = run
        self._every = every
        self._save = save
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._step = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(module, TrainingModule)
        if trainer.global_step == self._step:
            return
        self._step = trainer.global_step
        if self._step % self._every or self._step == trainer.max_steps:
            return
        if trainer.is_global_zero:
            place = self._run.progress / f"step-{self._step:06d}"
            with folder_atomically(place) as folder, torch.random.fork_rng(devices=[]):
                self._save(module, folder, self._step)
            self._run.note({"progress": sorted(file.name for file in self._run.progress.glob("step-*"))})
        trainer.strategy.barrier("progress")
