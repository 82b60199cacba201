"""What an optimiser refuses, found before a model is loaded."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from imprint.errors import Problem, UserError
from imprint.training.bfloat16 import keeps_small_updates
from imprint.training.hparams import HParams

LR = 1e-3  # of the trial; in a training, the method gives each group its own
SMALL_SIDE, LARGE_SIDE = 63, 512  # of matrices that are tried
FEW = 2**12  # weights, below which 8-bit optimisers keep their state in full


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


def sharing_problems(make: Callable[..., Optimizer]) -> Iterator[Problem | str]:
    """Of an optimiser whose weights devices share: each updates its part, as if there were no others."""
    kind = make.func if isinstance(make, partial) else make
    name = f"{getattr(kind, '__module__', '')}.{getattr(kind, '__qualname__', kind)}"
    if not name.startswith("torch.optim."):
        remedy = "is not torch's, and does not know weights that devices share (trainer=fsdp). Take optimizer=adamw."
        yield Problem("optimizer", name, remedy)
    elif not _goes_by_number(make):
        remedy = "goes by whole weights, of which a device has a part (trainer=fsdp). Take optimizer=adamw."
        yield Problem("optimizer", name, remedy)


def _goes_by_number(make: Callable[..., Optimizer]) -> bool:
    """Whether an update of a weight is that of its halves."""
    whole = torch.arange(1.0, 9.0).view(4, 2)
    try:
        return torch.equal(_updated(make, [whole])[0], torch.cat(_updated(make, list(whole.chunk(2)))))
    except Exception:  # its settings are wrong, which is told elsewhere; or it wants more than gradients
        return _refusal(make, {}) is not None


def _updated(make: Callable[..., Optimizer], weights: Sequence[Tensor]) -> list[Tensor]:
    own = [Parameter(weight.clone()) for weight in weights]
    optimizer = make([{"params": own, "lr": LR}])
    for _ in range(2):
        for parameter in own:
            parameter.grad = parameter.detach().square()
        optimizer.step()
    return [parameter.detach() for parameter in own]


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


def _without(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != name}


def state_size(make: Callable[..., Optimizer], shapes: Iterable[torch.Size], dtype: torch.dtype) -> int:
    """Bytes that the optimiser keeps for weights of these shapes: what it keeps for a few numbers, and for many, which
    some optimisers keep in another way. Raises whatever the optimiser does where it cannot be tried."""
    counts = [shape.numel() for shape in shapes]
    few = sum(count for count in counts if count <= FEW)
    many = sum(counts) - few
    return round(few * state_bytes(make, dtype, SMALL_SIDE) + many * state_bytes(make, dtype, LARGE_SIDE))


def state_bytes(make: Callable[..., Optimizer], dtype: torch.dtype, side: int) -> float:
    """Of memory that the optimiser takes for each weight of this type beside the weight and its gradient: what it takes
    for a matrix with this side."""
    weight = Parameter(torch.zeros(side, side, dtype=dtype))
    weight.grad = torch.zeros_like(weight)
    optimizer = make([{"name": "trial", "params": [weight], "lr": LR}])
    optimizer.step()
    state = (value for values in optimizer.state.values() for value in values.values())
    return sum(value.nbytes for value in state if isinstance(value, Tensor) and value.ndim) / weight.numel()
