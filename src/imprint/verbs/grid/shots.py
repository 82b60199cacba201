"""The pictures of the cells, all that makes each, and the drawing of those that are not there yet."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from imprint.errors import UserError
from imprint.pictures.generate import generate_missing, generate_with
from imprint.pictures.store import PictureStore, Recipe
from imprint.results.combine import CombinedModel, named_apart
from imprint.runs import Run
from imprint.training.trainer import available_device
from imprint.types import Concept, Sampler, prompts_of
from imprint.verbs.generate import Drawing, Mix, as_list
from imprint.verbs.grid.axes import SCALES, Axis, Cell

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AxisRequest:
    key: str | None
    values: list[Any] | None


@dataclass(frozen=True, kw_only=True)
class Request(Drawing):
    """What `grid.yaml` asks for."""

    run: str | list[str] | None
    runs: str | None
    x: AxisRequest
    y: AxisRequest


class Shot(NamedTuple):
    """A picture of a cell. Equal ones are one file, in whichever grid they are asked for."""

    mix: Mix
    recipe: Recipe

    @property
    def file(self) -> str:
        return f"pictures/{self.recipe.file}"


def shots_of(cell: Cell, request: Request, axes: Sequence[Axis]) -> Iterator[tuple[str, int, Shot | None]]:
    """(row of the sheet, seed, picture) for all that a cell shows; None where no run has its settings."""
    own = dict(cell.drawing)
    asked = _asked(request, own)
    keys = {axis.key for axis in axes}
    rows = {"": str(own.get("prompt"))} if "prompt" in keys else {prompt: prompt for prompt in as_list(request.prompt)}
    seeds = {0: int(own.get("seed", 0))} if "seed" in keys else {seed: seed for seed in request.seeds}
    for (row, prompt), (place, seed) in product(rows.items(), seeds.items()):
        if cell.runs:
            mix = Mix.of(cell.runs, asked, rank=None)
            yield row, place, Shot(mix, mix.recipe(_filled(prompt, cell.runs), seed, asked))
        else:
            yield row, place, None


def _asked(request: Request, own: Mapping[str, Any]) -> Request:
    """What is asked for, but for the strengths and ways of drawing that are a cell's own."""
    strengths = {key.removeprefix("scale."): value for key, value in own.items() if key in SCALES}
    ways = {key: value for key, value in own.items() if key in ("weights", *Sampler._fields)}
    return replace(request, scale=replace(request.scale, **strengths), **ways)


def draw(shots: Sequence[Shot], folder: Path, request: Request) -> None:
    """A model is loaded once, and what is drawn in the same way goes in one batch."""
    by_mix: dict[Mix, dict[str, Recipe]] = {}
    for mix, recipe in shots:
        by_mix.setdefault(mix, {})[recipe.file] = recipe
    stores = {mix: PictureStore(folder / "pictures", list(recipes.values()), {}) for mix, recipes in by_mix.items()}
    missing = {mix: len(store.missing()) for mix, store in stores.items()}
    to_draw = [mix for mix, count in missing.items() if count]
    for mix in to_draw:  # all mistakes before the first picture
        mix.chosen()
    log.info("%d pictures, %d of them to draw.", sum(map(len, by_mix.values())), sum(missing.values()))
    for runs, base in dict.fromkeys((mix.runs, mix.base) for mix in to_draw):
        combined = CombinedModel(*Mix(runs=runs, weights=None, scale=(), base=base, rank=None).chosen())
        device = available_device(request.accelerator)
        for mix in to_draw:
            if (mix.runs, mix.base) == (runs, base):
                model = combined.at(mix.weights, dict(mix.scale)).to(device)
                label = f"Cells {to_draw.index(mix) + 1} of {len(to_draw)}"
                generate_missing(
                    stores[mix], generate_with(model), batch_size=request.batch_size, label=label, counts_failures=False
                )


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
