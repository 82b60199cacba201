"""What `grid.yaml` asks for."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from imprint.generate import Scale


@dataclass(frozen=True, kw_only=True)
class AxisRequest:
    key: str | None
    values: list[Any] | None


@dataclass(frozen=True, kw_only=True)
class Request:
    run: str | list[str] | None
    runs: str | None
    x: AxisRequest
    y: AxisRequest
    prompt: str | list[str]
    seeds: list[NonNegativeInt]
    weights: list[float] | None
    base: str | None
    steps: PositiveInt | None
    guidance: NonNegativeFloat | None
    scheduler: str | None
    negative_prompt: str | None
    size: tuple[PositiveInt, PositiveInt] | None
    batch_size: PositiveInt
    scale: Scale
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    outputs: str
