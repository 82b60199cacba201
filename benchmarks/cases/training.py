"""The sides that train, and what is read off their programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import programs
from programs import Clock, Taken
from sides import own, peer, plain
from task import Material, Method, Task

from cases.base import Setting, Side, Values

Programs = Callable[[Sequence[Task], Material, Path], list[list[str]]]
Reading = Callable[[Sequence[Taken], Clock], Values]


class Trainers:
    """imprint, and beside it the peer or, without one, a plain loop."""

    imprint: Programs = staticmethod(own.programs)

    def __init__(self, checkout: Path | None) -> None:
        self.other_name = "peer" if checkout else "plain"
        self.other: Programs = partial(peer.programs, checkout) if checkout else plain.programs
        self._families = peer.SCRIPTS if checkout else plain.FAMILIES

    def has(self, family: str, method: Method = "lora") -> bool:
        """Whether the other side trains models of this family by this method."""
        return method in self._families.get(family, ())

    def both(self, tasks: Sequence[Task], reading: Reading) -> Mapping[str, Side]:
        return {"imprint": side(self.imprint, tasks, reading), self.other_name: side(self.other, tasks, reading)}


def side(make: Programs, tasks: Sequence[Task], reading: Reading) -> Side:
    def measured(setting: Setting) -> Values:
        return reading(taken(make, tasks, setting), setting.clock)

    return measured


def taken(make: Programs, tasks: Sequence[Task], setting: Setting) -> list[Taken]:
    """By every program that carries out the tasks. All of them get trained, or RuntimeError is raised."""
    tasks = [replace(task, precision=setting.precision) for task in tasks]
    outputs = setting.scratch / "outputs"
    found = [
        programs.run(program, setting.scratch, threads=setting.threads)
        for program in make(tasks, setting.material, outputs)
    ]
    there = len(list(outputs.glob("*/result")) or [each for each in outputs.glob("[0-9][0-9]") if each.is_dir()])
    if there != len(tasks):
        raise RuntimeError(f"{there} of {len(tasks)} trainings have a result")
    return found


class Points(NamedTuple):
    """How the points of a grid differ, as in a search."""

    number: int
    rates: int = 3

    def of(self, task: Task) -> list[Task]:
        return [
            replace(task, seed=index // self.rates, lr=task.lr * (1 + index % self.rates))
            for index in range(self.number)
        ]


def whole(found: Sequence[Taken], clock: Clock) -> float:
    return sum(each.whole(clock) for each in found)


def peak(found: Sequence[Taken]) -> float:
    """MB of the largest program."""
    return max(each.peak_bytes for each in found) / 1e6
