"""What parts cannot do together, or on this machine."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from imprint.build.parts import framing_of
from imprint.errors import ConfigError, Problem
from imprint.families.base import Facts
from imprint.locations import locate
from imprint.training.hparams import HParams
from imprint.types import Concept


def conflicts(part: Mapping[str, Any], facts: Facts | None, concept: Concept | None) -> Iterator[Problem | str]:
    """What each part cannot do together with the others. Parts that could not be built are passed over."""
    if facts and concept and part.get("method"):
        yield from (_under("method", problem) for problem in part["method"].problems(facts, concept))
    if facts and part.get("objective"):
        yield from (_under("objective", problem) for problem in part["objective"].problems(facts))
    if facts and part.get("dataset"):
        try:
            framing_of(part["dataset"], facts)
        except ConfigError as error:
            yield from (_under("model", problem) for problem in error.problems)
    if part.get("trainer") and part.get("hparams"):
        yield from part["trainer"].problems(part["hparams"])
    if part.get("optimizer") and part.get("hparams"):
        yield from _unclippable(part["optimizer"], part["hparams"])
    if part.get("outputs"):
        yield from _unwritable(locate(part["outputs"]))


def _unclippable(optimizer: Callable[..., Optimizer], hparams: HParams) -> Iterator[Problem]:
    fused = getattr(optimizer, "keywords", {}).get("fused", False)
    if fused and hparams.clip and hparams.precision == "16-mixed":
        remedy = "a fused optimiser cannot be clipped under 16-mixed. Set optimizer.fused=false, or use bf16-mixed."
        yield Problem("optimizer.fused", True, remedy)


def _unwritable(folder: Path) -> Iterator[Problem]:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield Problem("outputs", str(folder), f"{existing} is no folder that can be written to. Choose another.")


def _under(key: str, problem: Problem | str) -> Problem | str:
    return problem._replace(key=f"{key}.{problem.key}") if isinstance(problem, Problem) else problem
