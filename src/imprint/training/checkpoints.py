"""Checkpoints that are whole or absent, and that hold no code."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import ModelCheckpoint

from imprint.files import write_atomically
from imprint.runs import Run


class AtomicCheckpoints(TorchCheckpointIO):
    """Lightning stages a checkpoint elsewhere and moves it across file systems, where a full disk cuts it short under
    its final name. Here it is written beside its place, flushed, and renamed."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        write_atomically(Path(path), lambda temporary: torch.save(checkpoint, temporary))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> Any:
        return torch.load(path, map_location=map_location, weights_only=True)


class LastCheckpoint(ModelCheckpoint):
    """The latest state under one name: every so many steps, and when the run is asked to stop.

    A run that fails keeps the checkpoint it has: what went wrong may already be in the weights.
    """

    def __init__(self, run: Run, every: int) -> None:
        super().__init__(
            dirpath=run.checkpoint.parent,
            filename=run.checkpoint.stem,
            save_top_k=1,
            every_n_train_steps=every,
            enable_version_counter=False,
        )
        self.path = run.checkpoint

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        if isinstance(exception, KeyboardInterrupt | pl.utilities.exceptions.SIGTERMException):
            trainer.save_checkpoint(self.path)
