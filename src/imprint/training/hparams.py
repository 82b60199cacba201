"""The numbers of a training that change its result, whatever the method."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt, Lt
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt

from imprint.kinds import of_kind

Precision = Literal["32", "bf16-mixed", "16-mixed", "bf16"]  # bf16: of what learns, too
OPERATIONS: Mapping[Precision, Literal["32", "bf16-mixed", "16-mixed"]] = {
    "32": "32",
    "bf16-mixed": "bf16-mixed",
    "16-mixed": "16-mixed",
    "bf16": "bf16-mixed",
}


@of_kind("rate/diffusers")
@dataclass(frozen=True, kw_only=True)
class RateSchedule:
    """How the learning rate changes over the run; the names are those of diffusers' `get_scheduler`."""

    name: Literal["constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"]
    warmup: NonNegativeInt  # steps
    cycles: PositiveInt  # cosine_with_restarts
    power: PositiveFloat  # polynomial

    def __post_init__(self) -> None:
        if self.name == "constant" and self.warmup:
            raise ValueError(f"warmup={self.warmup}: name=constant has none. Choose name=constant_with_warmup.")


@of_kind("hparams/default")
@dataclass(frozen=True, kw_only=True)
class HParams:
    steps: PositiveInt  # updates of the weights
    batch_size: PositiveInt  # instance samples in an update, over all devices; a prior adds as many of its own
    precision: Precision
    clip: PositiveFloat | None  # norm that the gradient is clipped to
    ema: Annotated[float, Gt(0), Lt(1)] | None  # decay of the average of the weights that is saved in their place
    rate: RateSchedule

    @property
    def operations(self) -> Literal["32", "bf16-mixed", "16-mixed"]:
        """Of the precision that in which operations compute, by Lightning's name. Where what learns is in bfloat16,
        losses, norms and whatever else a mixed precision computes in float32 are no less exact."""
        return OPERATIONS[self.precision]
