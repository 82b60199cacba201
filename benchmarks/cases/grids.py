"""Whole grids of twelve points, from the first launch to the last saved result."""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from programs import Clock, Taken
from task import RATES, Method, Task

from cases.base import Case, Quantity, Values
from cases.training import Points, Trainers, peak, whole

POINTS = 12
NAMES: dict[Method, str] = {"lora": "LoRA", "textual_inversion": "Textual Inversion", "dreambooth": "DreamBooth"}


class Grid(NamedTuple):
    size: str
    method: Method
    steps: int
    target: Fraction | None
    points: int = POINTS
    memory: float | None = None
    family: str = "sd"


GRIDS = (
    Grid("tiny", "lora", 2, None, points=2),
    Grid("mini", "lora", 50, Fraction(1, 9)),
    Grid("mini", "lora", 200, Fraction(1, 8)),
    Grid("mid", "lora", 30, Fraction(1, 4), memory=1.9),
    Grid("full", "lora", 30, None),
    Grid("sdxl", "lora", 20, Fraction(1, 4), family="sdxl"),
    Grid("flux", "lora", 10, Fraction(1, 4), family="flux"),
    Grid("z_image", "lora", 10, Fraction(1, 4), family="z_image"),
    Grid("mini", "textual_inversion", 50, Fraction(1, 8)),
    Grid("mid", "textual_inversion", 30, Fraction(1, 3)),
    Grid("mini", "dreambooth", 50, Fraction(10, 27)),
    Grid("mid", "dreambooth", 30, Fraction(1, 2)),
)
ROUNDS = {"mini": 3}


def cases(trainers: Trainers) -> list[Case]:
    return [_case(trainers, grid) for grid in GRIDS if trainers.has(grid.family)]


def _case(trainers: Trainers, grid: Grid) -> Case:
    # the first launch draws the class pictures, the others find them: so does who uses the peer
    prior = "drawn" if grid.method == "dreambooth" else "none"
    tasks = Points(grid.points).of(Task(method=grid.method, lr=RATES[grid.method], steps=grid.steps, prior=prior))
    return Case(
        name=f"grid-{grid.size}-{grid.method}-{grid.steps}",
        size=grid.size,
        title=f"{grid.points} points of {NAMES[grid.method]}{' + prior' * (prior == 'drawn')}, {grid.steps} steps",
        rounds=ROUNDS.get(grid.size, 1),
        quantities={
            "whole": Quantity("all programs", target=float(grid.target) if grid.target else None),
            "memory": Quantity("peak memory of the largest", "MB", grid.memory),
        },
        sides=trainers.both(tasks, _read),
    )


def _read(found: Sequence[Taken], clock: Clock) -> Values:
    return {"whole": whole(found, clock), "memory": peak(found)}
