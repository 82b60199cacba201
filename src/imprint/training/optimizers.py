"""What an optimiser refuses, found before a model is loaded."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from imprint.errors import Problem, UserError
from imprint.training.bfloat16 import keeps_small_updates
from imprint.training.hparams import HParams

TRIAL_SIDE = 512
LR = 1e-3  # of the trial; in a training, the method gives each group its own


def optimizer_problems(make: Callable[..., Optimizer], hparams: HParams) -> Iterator[Problem | str]:
    """Keys are absolute."""
    settings = dict(make.keywords) if isinstance(make, partial) else {}
    if settings.get("fused") and hparams.clip and hparams.precision == "16-mixed":
        remedy = "a fused optimiser cannot be clipped under 16-mixed. Set optimizer.fused=false, or use bf16-mixed."
        yield Problem("optimizer.fused", True, remedy)
    if hparams.precision == "bf16" and not keeps_small_updates(make):
        remedy = (
            "what learns would be in bfloat16, where this optimiser's small updates are lost. Choose "
            "optimizer=adamw_kahan or optimizer=adamw_stochastic, or hparams.precision=bf16-mixed."
        )
        yield Problem("hparams.precision", "bf16", remedy)
    if hparams.precision == "bf16" and hparams.ema:
        remedy = "an average of weights in bfloat16 does not move. Set it to null, or hparams.precision=bf16-mixed."
        yield Problem("hparams.ema", hparams.ema, remedy)
    try:
        yield from _refused(make.func if isinstance(make, partial) else make, settings)
    except UserError as error:  # of imprint's own: a library is missing
        yield f"optimizer: {error}"


def _refused(kind: Callable[..., Optimizer], settings: Mapping[str, Any]) -> Iterator[Problem | str]:
    """The values out of range, as the optimiser's own class tells them: one without which it says something else."""
    left = dict(settings)
    while reason := _refusal(kind, left):
        guilty = next((name for name in left if _refusal(kind, _without(left, name)) != reason), None)
        if guilty is None:
            yield f"optimizer: {reason}."
            return
        yield Problem(f"optimizer.{guilty}", left.pop(guilty), f"the optimiser refuses it: {reason}.")


def _refusal(kind: Callable[..., Optimizer], settings: Mapping[str, Any]) -> str | None:
    """Of an optimiser for a single weight."""
    try:
        kind([{"name": "trial", "params": [Parameter(torch.zeros(1))], "lr": LR}], **settings)
    except UserError:
        raise
    except Exception as error:  # a class may raise anything
        return str(error).rstrip(".") or type(error).__name__
    return None


def state_bytes(make: Callable[..., Optimizer], dtype: torch.dtype) -> float:
    """Of memory that the optimiser takes for each weight of this type beside the weight and its gradient: what it takes
    for a matrix of the size that networks have."""
    weight = Parameter(torch.zeros(TRIAL_SIDE, TRIAL_SIDE, dtype=dtype))
    weight.grad = torch.zeros_like(weight)
    optimizer = make([{"name": "trial", "params": [weight], "lr": LR}])
    optimizer.step()
    tensors = [value for state in optimizer.state.values() for value in state.values() if isinstance(value, Tensor)]
    return sum(tensor.nbytes for tensor in tensors) / weight.numel()


def _without(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != name}
