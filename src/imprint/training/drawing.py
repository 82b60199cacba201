"""Drawing, saving and scoring while a run trains, without changing the training: on the first process, together with
all others where they share the network."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from imprint.errors import UserError
from imprint.libraries.lightning import precision_of
from imprint.models.base import Drawing
from imprint.training.module import COLLECT, TrainingModule
from imprint.training.sharded_strategy import ShardedStrategy


@contextmanager
def generation(trainer: pl.Trainer, module: Any) -> Iterator[None]:
    """Within, the module's model generates, with the averaged weights and in the precision of a training step."""
    with undisturbed(module, trainer.strategy.root_device), module.generating(), precision_of(trainer):
        yield


@contextmanager
def undisturbed(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every part is in its own mode, and the RNG state is as before."""
    modes = {part: part.training for part in module.modules()}
    cuda = [device] if device.type == "cuda" else []
    module.eval()
    try:
        with torch.random.fork_rng(devices=cuda), torch.no_grad():
            yield
    finally:
        for part, mode in modes.items():
            part.training = mode


@contextmanager
def first_alone(trainer: pl.Trainer, module: TrainingModule) -> Iterator[bool]:
    """Whether this is the first process. What only that does within may draw with the module's model, and save its
    result: where processes share the network, the others wait here, and take part in both."""
    strategy = trainer.strategy
    if not isinstance(strategy, ShardedStrategy):
        yield trainer.is_global_zero
    elif trainer.is_global_zero:
        with _announcing(module, strategy.broadcast):
            yield True
        strategy.broadcast(None)  # not after an error: the others end with this process
    else:
        while (order := _next_order(strategy)) is not None:
            _take_part(order, trainer, module)
        yield False


def _next_order(strategy: ShardedStrategy) -> Drawing | str | None:
    """From the first process; None: there is no other."""
    order: Any = strategy.broadcast(None)
    return order  # type: ignore[no-any-return]


@contextmanager
def _announcing(module: TrainingModule, broadcast: Callable[[Any], Any]) -> Iterator[None]:
    @contextmanager
    def with_all(drawing: Drawing) -> Iterator[None]:
        broadcast(drawing)
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # no second try: where the others are by now is not known
            raise UserError(
                f"A picture could not be drawn by all devices together: {error}. If it is memory, fewer pictures at a "
                "time take less (samples.batch_size)."
            ) from error

    module.announce, module.model.accompanied = broadcast, with_all
    try:
        yield
    finally:
        del module.announce, module.model.accompanied


def _take_part(order: Drawing | str, trainer: pl.Trainer, module: TrainingModule) -> None:
    if order == COLLECT:
        with module.collected():
            return
    assert isinstance(order, Drawing)
    with generation(trainer, module):
        module.model.generate(
            order.prompts,
            order.seeds,
            sampler=order.sampler,
            height=order.height,
            width=order.width,
            low_res=order.low_res,
        )
