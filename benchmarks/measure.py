"""A case from its first round to its result: sides in alternation, medians, ratios."""

import datetime
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cases.base import Case, Setting
from material import prepare
from programs import Clock
from record import circumstances, load


def measure(
    case: Case, *, rounds: int | None, clock: Clock, threads: int, precision: Any, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Every round's values and what follows from them. Of two rounds, the second begins with the other side."""
    rounds, clock = rounds or case.rounds, case.clock or clock
    about, before, began = circumstances(), load(), datetime.datetime.now(datetime.timezone.utc)
    found: dict[str, list[Mapping[str, float]]] = {side: [] for side in case.sides}
    with tempfile.TemporaryDirectory(prefix="imprint-benchmark-") as name:
        material = prepare(case.size, Path(name) / "material")
        for number in range(rounds):
            sides = list(case.sides)
            for side in sides if number % 2 == 0 else reversed(sides):
                with tempfile.TemporaryDirectory(dir=name) as scratch:
                    setting = Setting(
                        material=material,
                        scratch=Path(scratch),
                        clock=clock,
                        threads=threads,
                        precision=precision,
                        round=number,
                    )
                    values = case.sides[side](setting)
                assert list(values) == list(case.quantities), f"{case.name}, {side}: {list(values)} were measured"
                found[side].append(values)
                told = ", ".join(f"{case.quantities[key].title} {value:.3g}" for key, value in values.items())
                tell(f"{case.name}, round {number + 1} of {rounds}, {side}: {told}")
    return {
        "case": case.name,
        "title": case.title,
        "size": case.size,
        "resolution": material.resolution,
        "weights": material.weights,
        "figure": case.figure,
        "axis": case.axis,
        "date": began.date().isoformat(),
        "minutes": round((datetime.datetime.now(datetime.timezone.utc) - began).total_seconds() / 60, 1),
        "rounds": rounds,
        "clock": clock,
        "threads": threads,
        "precision": precision,
        "load": [before, load()],
        "circumstances": about,
        "quantities": {key: quantity._asdict() for key, quantity in case.quantities.items()},
        "measured": {side: [_rounded(values) for values in several] for side, several in found.items()},
        "medians": {side: _medians(several) for side, several in found.items()},
        "ratios": ratios(found, case),
    }


def ratios(found: Mapping[str, list[Mapping[str, float]]], case: Case) -> dict[str, dict[str, dict[str, Any]]]:
    """Of imprint to each other side, by quantity: the median of the rounds' ratios, the lowest and the highest, and
    whether the median is within the target. Below 1, imprint takes less."""
    own, *others = found
    told: dict[str, dict[str, dict[str, Any]]] = {}
    for other in others:
        told[other] = {}
        for key, quantity in case.quantities.items():
            of_rounds = [mine[key] / theirs[key] for mine, theirs in zip(found[own], found[other], strict=True)]
            median = statistics.median(of_rounds)
            told[other][key] = {
                "median": round(median, 4),
                "lowest": round(min(of_rounds), 4),
                "highest": round(max(of_rounds), 4),
                "met": None if quantity.target is None else median <= quantity.target,
            }
    return told


def _medians(several: list[Mapping[str, float]]) -> dict[str, float]:
    return _rounded({key: statistics.median(values[key] for values in several) for key in several[0]})


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {key: round(value, 4) for key, value in values.items()}
