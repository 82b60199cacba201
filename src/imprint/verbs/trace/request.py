"""What `imprint trace` is asked."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Gt, Lt
from pydantic import NonNegativeInt, PositiveInt


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `trace.yaml` asks for."""

    picture: str
    run: str | list[str] | None
    seeds: PositiveInt | list[NonNegativeInt]
    size: tuple[PositiveInt, PositiveInt] | None
    base: str | None
    steps: PositiveInt
    chance: Annotated[float, Gt(0), Lt(1)]
    anchors: str | None
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    trust: list[str]
    outputs: str
