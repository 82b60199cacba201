"""A training whose passes through the network are made together with those of others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from imprint.batched_runs.forward_proxy import Ask, ForwardProxy, drawing_by_proxy, in_place
from imprint.batched_runs.requests import RETRY, Autocast, Backward, Call
from imprint.batched_runs.rng_state import RngState, drops
from imprint.libraries.lightning import StaysOnDevice, precision_of
from imprint.libraries.torch import flatten, unflatten
from imprint.models.base import Model
from imprint.training.conditioning import CaptionCache
from imprint.training.latents import LatentCache
from imprint.training.module import TrainingModule, TrainingTask
from imprint.types import Batch, Losses


class SideBySide(StaysOnDevice, TrainingModule):
    """`model` has what this point learns in it and is whole: drawing, saving and checkpoints are those of a run alone.
    Only the passes of a training step are asked for elsewhere, so that many points can be in one.

    Its denoiser's prediction is cut off from the pass that made it: the loss's gradient goes as far as the prediction,
    and the rest of the way together with those of the others.
    """

    def __init__(
        self, model: Model, task: TrainingTask, *, ask: Ask, latents: LatentCache, captions: CaptionCache
    ) -> None:
        """`latents` and `captions` are those of all."""
        super().__init__(model, task, latents=latents, captions=captions)
        learning = {role for role, part in model.roles.items() if _learns(part)}
        self._ask = ask
        self._drops = any(drops(part) for part in model.roles.values())
        self._together = {
            role: ForwardProxy(role, part, self._call) if role in learning or role == "denoiser" else part
            for role, part in model.roles.items()
        }
        self._batch: Batch
        self._outputs: list[Tensor] = []  # of the denoiser: as they were made,
        self._predictions: list[Tensor] = []  # and cut off

    def losses(self, batch: Batch) -> Losses:
        self._batch = batch
        while True:
            self._outputs, self._predictions = [], []
            try:
                with in_place(self.model, self._together):
                    return super().losses(batch)
            except _Again:
                continue

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        super().backward(loss, *args, **kwargs)
        gradients = [prediction.grad for prediction in self._predictions]
        assert gradients and all(gradient is not None for gradient in gradients)
        while self._ask(Backward(self._outputs, [g for g in gradients if g is not None], self.trained())) is RETRY:
            # Of the same weights, batch and draws: the gradients so far are those of this pass, too.
            with precision_of(self.trainer):
                self.losses(self._batch)
        self._outputs, self._predictions = [], []

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """The adapters stay beside their layers: those of all points are in one pass."""
        with self.averaged(), drawing_by_proxy(self.model, self._ask):
            yield

    def _call(self, role: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        chance = RngState(self.device) if self._drops else None
        output = self._ask(Call(role, arguments, named, Autocast.now(self.device), chance=chance))
        if output is RETRY:  # from the first draw on, which follows a seed
            raise _Again
        if chance is not None:  # others have drawn meanwhile
            chance.resume()
        return self._cut_off(output) if role == "denoiser" else output

    def _cut_off(self, output: Any) -> Any:
        assert not self._outputs, "a step passes the denoiser once"
        values, tree = flatten(output)
        self._outputs = values
        self._predictions = [value.detach().requires_grad_() for value in values]
        return unflatten(self._predictions, tree)


class _Again(Exception):
    """The pass is to be made anew."""


def _learns(part: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in part.parameters())
