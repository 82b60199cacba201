"""A device that computes nothing and never answers: who waits for it is found out.

It is torch's `meta`, which knows shapes alone. A step runs on it from end to end, but no number can be read from it; to
send it something without letting it go on meanwhile is an error, too.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lessons import CPU, assembled
from omegaconf import DictConfig
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from imprint import device_transfer
from imprint.training.encoding import LatentCache
from imprint.training.trainer import TrainerSettings

SILENT = torch.device("meta")


class Waited(Exception):
    """A GPU would have had to finish first."""


class NoWaiting(TorchDispatchMode):
    """In whose thread a copy that waits for the device raises Waited."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function is not torch.ops.aten._to_copy.default:
            return function(*args, **kwargs)
        tensor = args[0]
        source, target = tensor.device, torch.device(kwargs.get("device") or tensor.device)
        if source.type != target.type and not kwargs.get("non_blocking"):
            raise Waited(f"{tuple(tensor.shape)} from {source} to {target}.")
        if target == CPU and source == SILENT:
            return torch.zeros(tensor.shape, dtype=kwargs.get("dtype") or tensor.dtype)
        return function(*args, **kwargs)


class _Arrival:
    """An event that is always yet to come, and that may be waited for a step later."""

    def record(self, stream: Any) -> None:
        pass

    def query(self) -> bool:
        return False

    def synchronize(self) -> None:
        pass


@contextmanager
def silent_device() -> Iterator[None]:
    """`SILENT` is where runs train, and as good as a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainerSettings, "own_device", SILENT)
        patch.setattr(device_transfer, "ASYNCHRONOUS", {SILENT.type})
        patch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
        patch.setattr(torch.cuda, "Event", _Arrival)
        patch.setattr(torch.cuda, "current_stream", lambda device: None)
        patch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
        patch.setattr(torch, "is_autocast_enabled", lambda kind=None: False)
        patch.setattr(torch, "get_autocast_dtype", lambda kind: torch.float32)
        yield


def kept_latents(cfg: DictConfig) -> LatentCache:
    """Of all pictures of a run, as they are when its first step begins."""
    module = assembled(cfg)
    alone = SimpleNamespace(global_step=0, world_size=1, global_rank=0)
    module.task.feed.loader(module.model, module.latents, trainer=alone, device=CPU)
    return module.latents


class _Accelerator(CPUAccelerator):
    def setup_device(self, device: torch.device) -> None:
        pass


class _Strategy(SingleDeviceStrategy):
    def teardown(self) -> None:
        """Nothing can be brought back."""


class _Enough(Exception):
    pass


class _Watched(pl.Callback):
    """The steps, but neither what comes before nor what comes after them."""

    def __init__(self, steps: int) -> None:
        self._within = ExitStack()
        self._steps = steps

    def on_train_batch_start(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        self._within.enter_context(NoWaiting())

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        self._within.close()
        if trainer.global_step == self._steps:
            raise _Enough

    def on_exception(self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
        self._within.close()


def fit(module: pl.LightningModule, *, steps: int, accumulation: int, callbacks: list[pl.Callback]) -> None:
    """Lightning's own loop, on the silent device. What comes behind the last step is left out."""
    trainer = pl.Trainer(
        strategy=_Strategy(device=SILENT, accelerator=_Accelerator()),
        max_epochs=-1,
        accumulate_grad_batches=accumulation,
        gradient_clip_val=1.0,
        callbacks=[*callbacks, _Watched(steps)],
        logger=False,
        use_distributed_sampler=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    batches = module.train_dataloader
    module.train_dataloader = lambda: (batch for batch in batches())  # type: ignore[method-assign]  # whose length would be asked for
    with suppress(_Enough):
        trainer.fit(module)
    assert trainer.global_step == steps
