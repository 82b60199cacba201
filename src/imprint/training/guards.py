"""What must hold at every step."""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from imprint.errors import NonFiniteLoss
from imprint.training.module import Personalisation
from imprint.types import Batch


class FiniteLoss(Callback):
    """Stops before a loss that is not a number reaches the weights."""

    def __init__(self) -> None:
        self._keys: list[str] = []

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Batch, index: int) -> None:
        self._keys = batch.keys

    def on_before_backward(self, trainer: pl.Trainer, module: pl.LightningModule, loss: Tensor) -> None:
        if bool(torch.isfinite(loss)):
            return
        raise NonFiniteLoss(
            f"The loss of step {trainer.global_step + 1} is {float(loss)} (pictures: "
            f"{', '.join(sorted(set(self._keys)))}). The weights were not updated; the last checkpoint is good. "
            "Lower method.lr, set hparams.clip=1.0, or train with hparams.precision=32."
        )


class AverageUpdate(Callback):
    """Moves the average after every update of the weights."""

    def __init__(self) -> None:
        self._seen = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._seen = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(module, Personalisation)
        if trainer.global_step > self._seen and module.average is not None:
            self._seen = trainer.global_step
            module.average.update(module.trained())
