"""Optimisers for weights in bfloat16, whose next number is 0.4 percent away: by itself, a smaller update leaves a
weight as it is. These two, of maintained libraries, lose none. The moments are in bfloat16, too."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any, TypeVar

from torch.optim import Optimizer

from imprint.errors import UserError

EXTRA = 'pip install "imprint-diffusion[bf16]"'
MARK = "keeps_small_updates"  # an attribute of such an optimiser; one of your own may have it, too

Betas = tuple[float, float]
Make = TypeVar("Make", bound=Callable[..., Optimizer])
Groups = Iterable[Mapping[str, Any]]  # each with its learning rate


def keeps_small_updates(make: Callable[..., Optimizer]) -> bool:
    """Whether the weights that `make`'s optimiser trains may be in bfloat16."""
    kind = make.func if isinstance(make, partial) else make
    return bool(getattr(kind, MARK, False))


def _marked(make: Make) -> Make:
    setattr(make, MARK, True)
    return make


@_marked
def adamw_kahan(params: Groups, *, betas: Betas, eps: float, weight_decay: float) -> Optimizer:
    """AdamW, which adds the part of an update that was rounded away to the next one: Kahan's summation, as optimi has
    it."""
    _need("optimi")
    from optimi import AdamW

    # Each group brings its own learning rate.
    made: Optimizer = AdamW(params, lr=0.0, betas=betas, eps=eps, weight_decay=weight_decay, kahan_sum=True)
    return made


@_marked
def adamw_stochastic(params: Groups, *, betas: Betas, eps: float, weight_decay: float) -> Optimizer:
    """AdamW, which rounds a weight up or down by chance, and to the right value on average, as torchao has it. The
    training seeds the generator before each update by run and step, so a resumed run rounds alike."""
    _need("torchao")
    from imprint.libraries.torchao_optim import EagerAdamW

    return EagerAdamW(params, betas=betas, eps=eps, weight_decay=weight_decay, bf16_stochastic_round=True)


def _need(library: str) -> None:
    if find_spec(library) is None:
        raise UserError(f"{library} is not installed. Run {EXTRA}.")
