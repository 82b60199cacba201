"""What a measurement consists of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple

from programs import Clock
from task import Material

Values = dict[str, float]  # by quantity


class Quantity(NamedTuple):
    """`target` is the largest ratio of imprint to the other side that is aimed at."""

    title: str
    unit: str = "s"
    target: float | None = None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a side is measured in. `scratch` is fresh each time."""

    material: Material
    scratch: Path
    clock: Clock
    threads: int
    precision: Literal["32", "bf16"]
    round: int

    def apart(self, name: str) -> "Setting":
        """For one of several parts of the work, that shall find nothing of the others."""
        scratch = self.scratch / name
        scratch.mkdir()
        return replace(self, scratch=scratch)


Side = Callable[[Setting], Values]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Sides that do the same work, imprint first.

    A curve's quantities are the values of its `axis`, one after another. A quality's are seconds and scores after
    numbers of steps: seconds-50, dino-50.
    """

    name: str
    size: str
    title: str
    rounds: int
    quantities: Mapping[str, Quantity]
    sides: Mapping[str, Side]
    figure: Literal["curve", "quality"] | None = None
    axis: str = ""
    clock: Clock | None = None  # None: as the command has it
