"""The pictures of a cell, and all that makes each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from imprint.build import named_apart
from imprint.config import signature
from imprint.construct import rebuilt
from imprint.errors import UserError
from imprint.requests import role_of
from imprint.runs import Run
from imprint.types import Concept, Sampler, prompts_of
from imprint.verbs.generate import as_list
from imprint.verbs.grid.axes import SCALES, Axis, Cell
from imprint.verbs.grid.request import Request


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture of a cell. Equal shots are one file, in whichever grid they are asked for."""

    runs: tuple[Run, ...]
    weights: tuple[float, ...] | None
    scale: tuple[tuple[str, float], ...]
    base: str | None
    sampler: Sampler
    frame: tuple[int, int]
    prompt: str
    seed: int

    @property
    def file(self) -> str:
        settings = {
            "runs": [run.signature for run in self.runs],
            "model": [run.read().content.model for run in self.runs],
            "weights": self.weights,
            "scale": dict(self.scale),
            "base": self.base,
            "sampler": self.sampler.told(),
            "frame": self.frame,
            "prompt": self.prompt,
            "seed": self.seed,
        }
        return f"pictures/{signature(settings)}.png"

    @property
    def settings(self) -> dict[str, Any]:
        """How it is drawn, for the index."""
        return {
            "prompt": self.prompt,
            "seed": self.seed,
            "weights": self.weights,
            "scale": dict(self.scale),
            "base": self.base,
            "sampler": self.sampler._asdict(),
        }


def shots_of(cell: Cell, request: Request, axes: Sequence[Axis]) -> Iterator[tuple[str, int, Shot | None]]:
    """(row of the sheet, seed, picture) for all that a cell shows; None where no run has its settings."""
    of_cell = dict(cell.drawing)
    keys = {axis.key for axis in axes}
    prompts = ["" if "prompt" in keys else prompt for prompt in as_list(request.prompt)]
    seeds = [0] if "seed" in keys else request.seeds
    for prompt, seed in product(dict.fromkeys(prompts), seeds):
        if not cell.runs:
            yield prompt, seed, None
            continue
        weights = of_cell.get("weights", request.weights)
        scale = request.scale.by_role()
        scale |= {role_of(key.partition(".")[2]): value for key, value in of_cell.items() if key in SCALES}
        height, width = request.size or cell.runs[0].frame
        shot = Shot(
            runs=cell.runs,
            weights=None if weights is None else tuple(float(weight) for weight in weights),
            scale=tuple((role, float(strength)) for role, strength in scale.items()),
            base=request.base,
            sampler=_sampler(cell.runs[0], request, of_cell),
            frame=(height, width),
            prompt=_filled(str(of_cell.get("prompt", prompt)), cell.runs),
            seed=int(of_cell.get("seed", seed)),
        )
        yield prompt, seed, shot


def _sampler(run: Run, request: Request, of_cell: Mapping[str, Any]) -> Sampler:
    node = run.read().config.model.get("sampler", {})
    usual = rebuilt(node, "model.sampler", Sampler, manifest=run.manifest, trust=run.trust)._asdict()
    given = {name: getattr(request, name) for name in Sampler._fields if getattr(request, name) is not None}
    own = {name: value for name, value in of_cell.items() if name in Sampler._fields}
    return Sampler(**{**usual, **given, **own})


def _filled(template: str, runs: Sequence[Run]) -> str:
    concepts: Sequence[Concept] = runs[0].concepts if len(runs) == 1 else named_apart([run.concepts for run in runs])
    try:
        filled = prompts_of(template, concepts)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UserError(f"prompt={template!r}: only {{identifier}} and {{noun}} are replaced ({error}).") from error
    if len(filled) > 1:
        names = " or ".join(f"{{{concept.name}.identifier}}" for concept in concepts)
        raise UserError(f"prompt={template!r}: say which of the subjects is meant: {names}.")
    return filled[0]
