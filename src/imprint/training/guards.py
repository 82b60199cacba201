"""What must hold at every step."""

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from imprint.training.module import TrainingModule
from imprint.types import Batch


class FiniteLoss(Callback):
    """Stops when a loss is not a number."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Batch, index: int) -> None:
        self._keys = batch.keys

    def on_before_backward(self, trainer: pl.Trainer, module: pl.LightningModule, loss: Tensor) -> None:
        assert isinstance(module, TrainingModule)
        module.loss_check.see(loss, step=trainer.global_step + 1, pictures=self._keys)


class AverageUpdate(Callback):
    """Moves the average after every update of the weights."""

    def __init__(self) -> None:
        self._seen = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._seen = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(module, TrainingModule)
        if trainer.global_step > self._seen and module.average is not None:
            self._seen = trainer.global_step
            module.average.update(module.trained())
