"""The pictures of an XY grid's cells, all that makes each, and the generation of those that are missing."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from imprint.construct import Constructor
from imprint.errors import ConfigError, UserError
from imprint.pictures.second_pass import KEY as HIRES
from imprint.pictures.second_pass import SecondPass, Wanted
from imprint.pictures.store import Recipe
from imprint.requests import as_list
from imprint.results.combine import CombinedModel, named_apart
from imprint.runs import Run
from imprint.training.trainer import available_device
from imprint.types import Concept, Sampler, prompts_of
from imprint.verbs.generate import Mix, PictureRequest, check_second_passes, check_size, passes_of
from imprint.verbs.grid.axes import SCALES, Axis, Cell

log = logging.getLogger(__name__)

AGAIN = f"{HIRES}."  # how the axes' keys of a second pass begin


@dataclass(frozen=True, kw_only=True)
class AxisRequest:
    key: str | None
    values: list[Any] | None


@dataclass(frozen=True, kw_only=True)
class Request(PictureRequest):
    """What `grid.yaml` asks for."""

    run: str | list[str] | None
    runs: str | None
    x: AxisRequest
    y: AxisRequest


class CellPicture(NamedTuple):
    """Equal ones are one file, in whichever grid they are asked for."""

    mix: Mix
    wanted: Wanted

    @property
    def recipe(self) -> Recipe:
        return self.wanted.recipe

    @property
    def file(self) -> str:
        return f"pictures/{self.recipe.file}"


def pictures_of(cell: Cell, request: Request, axes: Sequence[Axis]) -> Iterator[tuple[str, int, CellPicture | None]]:
    """(contact sheet, seed, picture) for all that a cell shows; None where no run has its settings."""
    own = dict(cell.sampling)
    of_cell = _of_cell(request, own)
    keys = {axis.key for axis in axes}
    prompts = {"": str(own.get("prompt"))} if "prompt" in keys else {text: text for text in as_list(request.prompt)}
    seeds = {0: int(own.get("seed", 0))} if "seed" in keys else {seed: seed for seed in request.seeds}
    for (sheet, prompt), (place, seed) in product(prompts.items(), seeds.items()):
        if cell.runs:
            mix = Mix.of(cell.runs, of_cell, rank=None)
            yield sheet, place, CellPicture(mix, mix.wanted(_filled(prompt, cell.runs), seed, of_cell))
        else:
            yield sheet, place, None


def _of_cell(request: Request, own: Mapping[str, Any]) -> Request:
    """The request with the strengths and sampler settings that are the cell's own."""
    strengths = {key.removeprefix("scale."): value for key, value in own.items() if key in SCALES}
    settings = {key: value for key, value in own.items() if key in ("weights", *Sampler._fields)}
    again = {key.removeprefix(AGAIN): value for key, value in own.items() if key.startswith(AGAIN)}
    hires = _changed(request.hires, again) if again else request.hires
    return replace(request, scale=replace(request.scale, **strengths), hires=hires, **settings)


def _changed(hires: SecondPass | None, own: Mapping[str, Any]) -> SecondPass:
    """Raises ConfigError for values that it cannot have, or where there is no second pass."""
    if hires is None:
        key = AGAIN + next(iter(own))
        raise ConfigError([f"{key} is an axis, and there is no second pass. Add hires=second_pass or hires=tiles."])
    constructor = Constructor()
    changed = constructor.arguments(SecondPass, own, HIRES)
    if constructor.problems:
        raise ConfigError(constructor.problems)
    return replace(hires, **changed)


def generate_cells(pictures: Sequence[CellPicture], folder: Path, request: Request) -> None:
    """A model is loaded once, and pictures of one mix are generated in batches."""
    by_mix: dict[Mix, dict[str, Wanted]] = {}
    for mix, one in pictures:
        by_mix.setdefault(mix, {})[one.recipe.file] = one
    check_second_passes([(mix, one) for mix, one in pictures], request)
    stores = {
        mix: passes_of(mix, folder / "pictures", list(wanted.values()), request.provenance)
        for mix, wanted in by_mix.items()
    }
    missing = {mix: count for mix, store in stores.items() if (count := store.missing())}
    for mix in missing:  # all mistakes before the first picture
        check_size(mix.chosen()[0], request)
    log.info("%d pictures are asked for, %d are to be drawn.", sum(map(len, by_mix.values())), sum(missing.values()))
    for runs, base in dict.fromkeys((mix.runs, mix.base) for mix in missing):
        whole = Mix(runs=runs, weights=None, scale=(), base=base, rank=None, precision="32", as_trained=False)
        combined = CombinedModel(*whole.chosen())
        device = available_device(request.accelerator)
        for number, mix in enumerate(missing, start=1):
            if (mix.runs, mix.base) == (runs, base):
                model = combined.at(mix.weights, dict(mix.scale)).to(device)
                label = f"Cells {number} of {len(missing)}"
                stores[mix].draw(model, batch_size=request.batch_size, label=label)
    for store in stores.values():
        store.rewrite()


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
