"""The cells of an XY grid: which values its axes have, and which runs belong to each pair of them."""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from imprint.errors import ConfigError, Problem
from imprint.reporting.labels import differing
from imprint.reporting.record import find_runs
from imprint.runs import Run
from imprint.suggestions import nearest

SCALES = ("scale.denoiser", "scale.unet", "scale.text", "scale.text_2", "scale.text_3")
SAMPLING = {  # settings of generation -> the type of their values
    **dict.fromkeys(SCALES, float),
    "weights": list,
    "guidance": float,
    "steps": int,
    "scheduler": str,
    "negative_prompt": str,
    "hires.factor": float,
    "hires.strength": float,
    "hires.tile": int,
    "upscaler.level": int,
    "upscaler.steps": int,
    "upscaler.guidance": float,
    "upscaler.scheduler": str,
    "upscaler.negative_prompt": str,
    "upscaler.tile": int,
    "upscaler.overlap": int,
    "prompt": str,
    "seed": int,
}


class FinishedRun(NamedTuple):
    """With its settings as text."""

    run: Run
    settings: dict[str, str]


class Runs(NamedTuple):
    """Either the same runs in every cell, or those of which each cell has its own."""

    in_every_cell: tuple[Run, ...]
    by_cell: list[FinishedRun]


class Axis(NamedTuple):
    key: str | None  # None: there is one row
    values: list[Any]

    @property
    def heading(self) -> str:
        return self.key or ""

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(shown(value) for value in self.values)

    @property
    def is_sampling(self) -> bool:
        return self.key in SAMPLING


class Cell(NamedTuple):
    """`sampling` are the settings of generation that the axes give it. Without runs it stays empty."""

    x: str
    y: str
    runs: tuple[Run, ...]
    sampling: tuple[tuple[str, Any], ...]


def finished_below(folder: Path, trust: Sequence[str]) -> list[FinishedRun]:
    records = [record for record in find_runs([folder]) if record.status == "finished"]
    if not records:
        raise ConfigError([Problem("runs", str(folder), "none of the runs in it is finished. Finish one, or wait.")])
    return [FinishedRun(Run(record.folder, trust=trust), record.settings) for record in records]


def axis_of(name: str, key: str | None, values: Sequence[Any] | None, runs: Runs) -> Axis:
    """Raises ConfigError for a key that is none, and values that it cannot have."""
    if key is None:
        return Axis(None, [None])
    if key in SAMPLING:
        if not values:
            raise ConfigError([Problem(f"{name}.values", values, f"say which values of {key}: {name}.values=[...].")])
        if problems := [problem for value in values if (problem := _type_problem(name, key, value))]:
            raise ConfigError(problems)
        return Axis(key, [float(value) if SAMPLING[key] is float else value for value in values])
    known = {setting for found in runs.by_cell for setting in found.settings}
    if key not in known:
        more = "" if runs.by_cell else " A setting of runs needs runs=..., a folder of them."
        raise ConfigError([Problem(f"{name}.key", key, f"{nearest(key, [*SAMPLING, *known])}{more}")])
    there = {found.settings[key] for found in runs.by_cell if key in found.settings}
    return Axis(key, sorted(there, key=_order) if values is None else [_as_setting(value, there) for value in values])


def cells_of(x: Axis, y: Axis, runs: Runs) -> list[Cell]:
    """Raises ConfigError where several runs would belong to one cell, or the two axes are one."""
    if x.key == y.key:
        raise ConfigError([Problem("y.key", y.key, "the other axis has it. Choose another.")])
    cells, problems = [], []
    for (x_value, x_label), (y_value, y_label) in product(
        zip(x.values, x.labels, strict=True), zip(y.values, y.labels, strict=True)
    ):
        pairs = [(axis, value) for axis, value in ((x, x_value), (y, y_value)) if axis.key]
        wanted = {str(axis.key): value for axis, value in pairs if not axis.is_sampling}
        own = [run for run in runs.by_cell if all(run.settings.get(key) == value for key, value in wanted.items())]
        if len(own) > 1:
            problems.append(_ambiguous(wanted, own))
        sampling = tuple((str(axis.key), _hashable(value)) for axis, value in pairs if axis.is_sampling)
        cells.append(Cell(x_label, y_label, runs.in_every_cell or tuple(match.run for match in own[:1]), sampling))
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return cells


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(shown, value)) if isinstance(value, list | tuple) else str(value) if value is not None else ""


def _ambiguous(wanted: dict[str, Any], own: Sequence[FinishedRun]) -> str:
    names = ", ".join(found.run.folder.name for found in own)
    settings = ", ".join(f"{key}={value}" for key, value in wanted.items()) or "all settings"
    left = differing([found.settings for found in own])
    tells = f" They differ in {', '.join(left[:4])}: take one of these as an axis, or" if left else " Take"
    return f"{settings}: {len(own)} runs have this ({names}).{tells} a folder with only some of them."


def _type_problem(name: str, key: str, value: Any) -> Problem | None:
    kind = SAMPLING[key]
    right = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if right and not isinstance(value, bool) and (kind is not float or math.isfinite(value)):
        return None
    wanted = {float: "a finite number", int: "a whole number", str: "a text", list: "a list of numbers"}[kind]
    return Problem(f"{name}.values", value, f"a value of {key} is {wanted}.")


def _as_setting(value: Any, there: set[str]) -> str:
    """As it is written in the settings of the runs: 1e-4 and 0.0001 are one value."""
    return next((text for text in there if text == str(value) or _order(text) == _order(str(value))), str(value))


def _order(text: str) -> tuple[int, float, str]:
    try:
        return 0, float(text), ""
    except ValueError:
        return 1, 0.0, text


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
