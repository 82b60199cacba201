"""The pictures of an XY grid's cells, and all that makes each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple, TypeAlias, TypeVar

from imprint.construct import Constructor
from imprint.errors import ConfigError, Faults, Problem, UserError
from imprint.pictures.second_pass import KEY as HIRES
from imprint.pictures.second_pass import SecondPass, Wanted
from imprint.pictures.store import Recipe
from imprint.requests import as_list
from imprint.results.enlarging import LargePicture, idle_settings, upscaler_of
from imprint.results.given_pictures import GivenPicture, given_pictures, picture_files
from imprint.results.mix import Mix, check_size
from imprint.results.picture_request import PictureRequest
from imprint.results.upscaling import KEY as UPSCALER
from imprint.results.upscaling import Upscaler, UpscalerSettings
from imprint.types import Concept, Sampler, prompts_of
from imprint.verbs.grid.axes import SCALES, Cell

PICTURES = "pictures"  # their folder, in the grid's
S = TypeVar("S", SecondPass, UpscalerSettings)


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


class Sheet(NamedTuple):
    """What all pictures of a contact sheet have in common."""

    prompt: str  # as it was given; empty: it is an axis
    picture: str  # the file that is enlarged; empty: pictures are drawn from prompts


class CellPicture(NamedTuple):
    """Equal ones are one file, in whichever grid they are asked for."""

    mix: Mix
    shown: Wanted | LargePicture

    @property
    def recipe(self) -> Recipe:
        return self.shown.recipe

    @property
    def file(self) -> str:
        return in_grid(self.recipe.file)

    @property
    def drawn(self) -> Wanted | None:
        """What the mix draws for it: nothing, where a given picture is enlarged."""
        if isinstance(self.shown, Wanted):
            return self.shown
        return None if self.shown.given else Wanted(self.shown.low)


Pictures: TypeAlias = dict[tuple[Cell, Sheet, int], CellPicture | None]  # by cell, sheet and seed; None: it has no run


def in_grid(name: str) -> str:
    """A picture's file, seen from the grid's folder."""
    return f"{PICTURES}/{name}"


def pictures_of(cells: Sequence[Cell], request: Request, faults: Faults) -> Pictures:
    """All that cells show. What is wrong with some of them, `faults` then has."""
    chosen, given = request.upscaler.chosen(request.trust), _Given(request.picture)
    pictures: Pictures = {}
    for cell in cells:
        own = dict(cell.sampling)
        prompts = {"": own["prompt"]} if "prompt" in own else {text: text for text in as_list(request.prompt)}
        seeds = {0: own["seed"]} if "seed" in own else {seed: seed for seed in request.seeds}
        pictures |= {(cell, Sheet(*sheet), place): None for *sheet, place in product(prompts, given.names, seeds)}
        if cell.runs:
            with faults.gathered():
                of_cell = _request_of(request, own)
                mix = Mix.of(cell.runs, of_cell, rank=None, as_trained=request.picture is not None)
                upscaler = upscaler_of(mix, chosen and replace(chosen, settings=of_cell.upscaler), of_cell)
                idle: list[Problem | str] = [*_idle_axes(own, of_cell.hires, upscaler), *idle_settings(request)]
                if idle:
                    check_size(mix, of_cell)  # of an upscaler's run, it is the picture that is missing
                    raise ConfigError(idle)
                each = product(prompts.items(), seeds.items(), given.to(upscaler).items())
                for (sheet, prompt), (place, seed), (name, low) in each:
                    text = _filled(prompt, mix.concepts)
                    if upscaler is None:
                        shown: Wanted | LargePicture = mix.wanted(text, seed, of_cell)
                    else:
                        shown = LargePicture.of(upscaler, mix, mix.recipe(text, seed, of_cell), low)
                    pictures[cell, Sheet(sheet, name), place] = CellPicture(mix, shown)
    return pictures


class _Given:
    """The pictures that are given to be enlarged, by name: one without a name, where there are none."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._read: dict[int, dict[str, GivenPicture | None]] = {}
        self.names = [""] if path is None else [file.name for file in picture_files(path, key="picture")]

    def to(self, upscaler: Upscaler | None) -> Mapping[str, GivenPicture | None]:
        """What it is given of them. They are read once for all upscalers that need sides of the same multiples."""
        if self._path is None or upscaler is None:
            return {"": None}
        if upscaler.multiple not in self._read:
            read = given_pictures(self._path, key="picture", upscaler=upscaler)
            self._read[upscaler.multiple] = {one.file.name: one for one in read}
        return self._read[upscaler.multiple]


def _request_of(request: Request, own: Mapping[str, Any]) -> Request:
    """The request with what is the cell's own: strengths, sampler settings, and those of ways to enlarge."""
    strengths = {key.removeprefix("scale."): value for key, value in own.items() if key in SCALES}
    settings = {key: value for key, value in own.items() if key in ("weights", *Sampler._fields)}
    constructor = Constructor()
    hires = request.hires and _changed(request.hires, own, HIRES, constructor)
    upscaler = _changed(request.upscaler, own, UPSCALER, constructor)
    if constructor.problems:
        raise ConfigError(constructor.problems)
    return replace(request, scale=replace(request.scale, **strengths), hires=hires, upscaler=upscaler, **settings)


def _changed(settings: S, own: Mapping[str, Any], key: str, constructor: Constructor) -> S:
    """With the cell's values of the settings below this key. Those that it cannot have, the constructor then knows."""
    given = {name.removeprefix(f"{key}."): value for name, value in own.items() if name.startswith(f"{key}.")}
    return replace(settings, **constructor.arguments(type(settings), given, key))


def _idle_axes(own: Mapping[str, Any], hires: SecondPass | None, upscaler: Upscaler | None) -> Iterator[str]:
    """Those of a way to enlarge that is not there."""
    ways = {
        HIRES: (hires, "second pass", "Add hires=second_pass or hires=tiles."),
        UPSCALER: (upscaler, "upscaler", "Add upscaler=RUN, or upscaler=NAME for an untuned one."),
    }
    other = any(there is not None for there, _, _ in ways.values())
    for way, (there, named, add) in ways.items():
        if there is None:
            remedy = "Choose one way to enlarge pictures." if other else add
            keys = [key for key in own if key.startswith(f"{way}.")]
            yield from (f"{key} is an axis, and there is no {named}. {remedy}" for key in keys)


def _filled(template: str, concepts: Sequence[Concept]) -> str:
    try:
        filled = prompts_of(template, concepts)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UserError(f"prompt={template!r}: only {{identifier}} and {{noun}} are replaced ({error}).") from error
    if len(filled) > 1:
        names = " or ".join(f"{{{concept.name}.identifier}}" for concept in concepts)
        raise UserError(f"prompt={template!r}: say which of the subjects is meant: {names}.")
    return filled[0]
