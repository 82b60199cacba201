"""The costs of a run: time, memory, size. Tables, files and trackers show whatever COSTS lists."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from imprint.manifest import Manifest
from imprint.reporting.units import duration, memory, quantity, size
from imprint.runs import Run
from imprint.tables.table import Cell, Column

Cost = Mapping[str, float | None]  # by key; None where it is not known
GROUP = "training"


class CostKind(NamedTuple):
    key: str  # in files, and at trackers
    heading: str
    about: str
    format: Callable[[float], str]
    read: Callable[[Manifest], float | None]  # from a run's manifest


COSTS = (
    CostKind("seconds", "time", "of training", duration, lambda manifest: manifest.training.seconds),
    CostKind(
        "peak_memory_bytes",
        "peak memory",
        "the most that was held while training",
        memory,
        lambda manifest: manifest.training.peak_memory_bytes or None,
    ),
    CostKind(
        "trained_parameters",
        "trained parameters",
        "how many numbers training may change",
        quantity,
        lambda manifest: sum(manifest.trained_parameters.values()) or None,
    ),
    CostKind("result_bytes", "size", "of the result's files", size, lambda manifest: manifest.result_bytes),
)
COST_COLUMNS = [Column(kind.heading, kind.format, about=kind.about, group=GROUP) for kind in COSTS]


def cost_of(run: Run) -> Cost:
    manifest = run.read()
    return {kind.key: kind.read(manifest) for kind in COSTS}


def cost_cells(cost: Cost) -> list[Cell]:
    return [Cell(cost.get(kind.key)) for kind in COSTS]
