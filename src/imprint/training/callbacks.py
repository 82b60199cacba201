"""What happens between steps: the loss is checked, the average updated, checkpoints and intermediate results saved."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from torch import Tensor

from imprint.files import folder_atomically, write_atomically
from imprint.runs import Run
from imprint.training.checkpoints import read_checkpoint
from imprint.training.drawing import first_alone
from imprint.training.module import TrainingModule
from imprint.training.sharded_strategy import ShardedStrategy
from imprint.types import Batch


class FiniteLoss(Callback):
    """Stops when a loss is not a number."""

    def __init__(self) -> None:
        self._keys: Sequence[str] = ()

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, batch: Batch, index: int) -> None:
        self._keys = batch.keys

    def on_before_backward(self, trainer: pl.Trainer, module: pl.LightningModule, loss: Tensor) -> None:
        assert isinstance(module, TrainingModule)
        pictures = module.task.feed.stream.names_of(self._keys)
        module.loss_check.check(loss, step=trainer.global_step + 1, pictures=pictures)


class AfterUpdate(Callback):
    """Calls `updated` after every update of the weights, which may take several batches."""

    def __init__(self) -> None:
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._step = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        assert isinstance(module, TrainingModule)
        if trainer.global_step > self._step:
            self._step = trainer.global_step
            self.updated(trainer, module)

    def updated(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        raise NotImplementedError


class AverageUpdate(AfterUpdate):
    """Of the moving average, where one is kept."""

    def updated(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        if module.average is not None:
            module.average.update(module.trained())


class IntermediateResults(AfterUpdate):
    """Saves the result every so many steps, and names it in the manifest. The result of the last step is the run's.

    What an interrupted run has saved beyond its checkpoint, it saves again, the same, when it is resumed.
    """

    def __init__(self, run: Run, every: int, save: Callable[[TrainingModule, Path, int], None]) -> None:
        super().__init__()
        self._run = run
        self._every = every
        self._save = save

    def updated(self, trainer: pl.Trainer, module: TrainingModule) -> None:
        step = trainer.global_step
        if step % self._every or step == trainer.max_steps:
            return
        with first_alone(trainer, module) as is_first:
            if is_first:
                self._save_and_note(module, step)
        trainer.strategy.barrier("progress")

    def _save_and_note(self, module: TrainingModule, step: int) -> None:
        with (
            folder_atomically(self._run.progress / f"step-{step:06d}") as folder,
            torch.random.fork_rng(devices=[]),
        ):
            self._save(module, folder, step)
        self._run.note({"progress": sorted(file.name for file in self._run.progress.glob("step-*"))})


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

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Nothing: where a checkpoint lies is known, and what one says of it may be somebody else's."""

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        """Ctrl-C comes at any moment, to each process at another: what they share cannot be gathered then. The signal
        of a cluster is obeyed by all of them before the same step."""
        asked = isinstance(exception, KeyboardInterrupt) and not isinstance(trainer.strategy, ShardedStrategy)
        if asked or isinstance(exception, pl.utilities.exceptions.SIGTERMException):
            trainer.save_checkpoint(self.path)


class AtomicCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, and reads no code from it. Lightning's own way moves a finished file
    across file systems, where a full disk cuts it short under its final name; here it is written beside its place,
    flushed, and renamed."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        write_atomically(Path(path), lambda temporary: torch.save(checkpoint, temporary))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> Any:
        return read_checkpoint(Path(path), map_location, mapped=False)
