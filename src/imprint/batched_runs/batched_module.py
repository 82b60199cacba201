"""A training module whose passes through the network are made in one batch with those of other points."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from imprint.batched_runs.batch_layout import RngState
from imprint.batched_runs.requests import (
    RETRY,
    Autocast,
    Backward,
    Call,
    ForwardProxy,
    Request,
    generating_by_proxy,
    replaced_roles,
)
from imprint.libraries.lightning import StaysOnDevice, precision_of
from imprint.libraries.torch import flatten, unflatten
from imprint.models.base import Model
from imprint.training.encoding import CaptionCache, LatentCache
from imprint.training.module import TrainingModule
from imprint.training.task import TrainingTask
from imprint.types import Batch, Losses


class BatchedTrainingModule(StaysOnDevice, TrainingModule):
    """`model` holds what this point learns and is complete: generating, saving and checkpoints are those of a run
    alone. Only the passes of a training step are requested from the scheduler, so that one pass can serve many points.

    The denoiser's prediction is detached from the pass that made it: the gradient of the loss goes as far as the
    prediction, and the rest of the way in one backward pass for all points.
    """

    def __init__(
        self, model: Model, task: TrainingTask, *, request: Request, latents: LatentCache, captions: CaptionCache
    ) -> None:
        """`latents` and `captions` are shared by all points."""
        super().__init__(model, task, latents=latents, captions=captions)
        learning = {role for role, part in model.roles.items() if _learns(part)}
        self._request = request
        self._has_dropout = any(has_dropout(part) for part in model.roles.values())
        self._proxies = {
            role: ForwardProxy(role, part, self._call)
            for role, part in model.roles.items()
            if role in learning or role == "denoiser"
        }
        self._batch: Batch
        self._outputs: list[Tensor] = []  # of the denoiser, attached to the shared pass
        self._predictions: list[Tensor] = []  # the same, detached

    def losses(self, batch: Batch) -> Losses:
        self._batch = batch
        while True:
            self._outputs, self._predictions = [], []
            try:
                with replaced_roles(self.model, self._proxies):
                    return super().losses(batch)
            except _Retry:
                continue

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        super().backward(loss, *args, **kwargs)
        gradients = [prediction.grad for prediction in self._predictions]
        assert gradients and all(gradient is not None for gradient in gradients)
        while self._request(Backward(self._outputs, [g for g in gradients if g is not None], self.trained())) is RETRY:
            # Of the same weights, batch and random numbers: the gradients so far are those of this pass, too.
            with precision_of(self.trainer):
                self.losses(self._batch)
        self._outputs, self._predictions = [], []

    @contextmanager
    def generating(self) -> Iterator[None]:
        """The adapters stay beside their layers: those of all points are in one pass."""
        with self.averaged(), generating_by_proxy(self.model, self._request):
            yield

    def _call(self, role: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        rng_state = RngState(self.device) if self._has_dropout else None
        autocast, shared = Autocast.current(self.device), self.model.shared_inputs
        output = self._request(Call(role, arguments, keywords, autocast, rng_state=rng_state, shared=shared))
        if output is RETRY:  # from the start of the pass, where the generators are seeded
            raise _Retry
        if rng_state is not None:  # other points have used the generator meanwhile
            rng_state.restore()
        return self._detached(output) if role == "denoiser" else output

    def _detached(self, output: Any) -> Any:
        assert not self._outputs, "a step passes the denoiser once"
        values, tree = flatten(output)
        self._outputs = values
        self._predictions = [value.detach().requires_grad_() for value in values]
        return unflatten(self._predictions, tree)


class _Retry(Exception):
    """The pass is to be made again."""


def has_dropout(part: nn.Module) -> bool:
    """Whether a layer of it samples random numbers while it learns."""
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in part.modules())


def _learns(part: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in part.parameters())
