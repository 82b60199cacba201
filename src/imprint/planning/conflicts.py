"""What parts cannot do together, or on this machine."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.optim import Optimizer

from imprint.data.framing import Framing
from imprint.data.masks import cropped_out
from imprint.errors import ConfigError, Problem
from imprint.locations import locate
from imprint.models.base import ModelInfo
from imprint.planning.parts import framing_of
from imprint.planning.subjects import Subject
from imprint.training.hparams import HParams
from imprint.types import Concept


def conflicts(
    part: Mapping[str, Any],
    facts: ModelInfo | None,
    concepts: Sequence[Concept] | None,
    subjects: Sequence[Subject] | None,
) -> Iterator[Problem | str]:
    """What each part cannot do together with the others. Parts that could not be built are passed over."""
    if facts and concepts and part.get("method"):
        yield from (_under("method", problem) for problem in part["method"].problems(facts, concepts))
    if facts and part.get("objective"):
        yield from (_under("objective", problem) for problem in part["objective"].problems(facts))
    if facts and part.get("dataset"):
        try:
            framings = [framing_of(member, facts) for member in part["dataset"].members.values()]
        except ConfigError as error:
            yield from (_under("model", problem) for problem in error.problems)
        else:
            yield from _unseen(subjects or (), framings)
    if concepts and part.get("prior"):
        yield from (_under("prior", problem) for problem in part["prior"].problems(concepts))
    if concepts and part.get("samples"):
        yield from (_under("samples", problem) for problem in part["samples"].problems(concepts))
    if part.get("watch"):
        yield from part["watch"].problems(part.get("evaluation"))
    if part.get("trainer") and part.get("hparams"):
        yield from part["trainer"].problems(part["hparams"])
    if part.get("optimizer") and part.get("hparams"):
        yield from _unclippable(part["optimizer"], part["hparams"])
    if part.get("outputs"):
        yield from _unwritable(locate(part["outputs"]))


def _unseen(subjects: Sequence[Subject], framings: Sequence[Framing]) -> Iterator[str]:
    """Masked pictures that could show nothing that counts."""
    for subject, framing in zip(subjects, framings, strict=False):
        if hidden := list(cropped_out(subject.pictures.pictures, framing)):
            yield (
                f"dataset.crop={subject.dataset.crop}: of {', '.join(hidden)} it can show a part without any of the "
                "mask, from which nothing is learned. Crop the pictures around the subject, use crop=centre or "
                "crop=buckets, or set mask_background above 0."
            )


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
