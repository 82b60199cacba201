"""The large pictures of a folder, made of low ones that lie beside them: of what runs draw, or of given ones."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image

from imprint.errors import ConfigError, Problem
from imprint.evaluation.profile import Precision
from imprint.hashing import file_hash
from imprint.models.base import Model
from imprint.models.residency import reclaim
from imprint.pictures.generate import generate_missing
from imprint.pictures.low import LOW, from_low, low_of
from imprint.pictures.store import Outcome, PictureStore, Recipe
from imprint.planning.assemble import computing
from imprint.planning.residence import loading_to_draw
from imprint.planning.sizes import too_large_pictures
from imprint.provenance.base import MadeBy, Provenance
from imprint.reporting.upscaling_sheet import FILE as SHEET
from imprint.reporting.upscaling_sheet import FOLDER as UPSCALING
from imprint.reporting.upscaling_sheet import enlarged_in, sheet_of
from imprint.results.given_pictures import GivenPicture, keep_given
from imprint.results.mix import Mix, no_picture
from imprint.results.picture_request import PictureRequest
from imprint.results.upscaling import KEY, Upscaler
from imprint.types import Sampler

SHOWN = ("level", "tile", "overlap")  # of an upscaler's settings, what marks name
OF_NONE = MadeBy((), ())  # what drew a given picture


class LargePicture(NamedTuple):
    """What an upscaler makes of a low picture: one that a mix draws, or that is given to the mix's own upscaler."""

    upscaler: Upscaler
    mix: Mix
    given: GivenPicture | None
    low: Recipe
    recipe: Recipe

    @classmethod
    def of(cls, upscaler: Upscaler, mix: Mix, recipe: Recipe, given: GivenPicture | None) -> "LargePicture":
        """`recipe` is the mix's, under its plain name."""
        plain = recipe if given is None else given.named(recipe)
        return cls(upscaler, mix, given, low_of(plain), upscaler.recipe(plain, mix.concepts))

    def problems(self, device: torch.device) -> Iterator[Problem]:
        found = list(self.upscaler.problems(self.low.size))
        if not found:
            tile, large = self.upscaler.settings.tile, self.recipe.size
            seen = large if tile is None else (min(large[0], tile), min(large[1], tile))
            key = "size" if tile is None else f"{KEY}.tile"
            found = list(too_large_pictures(self.upscaler.facts, key, seen, device))
        yield from found


class Enlarging:
    """What is there already is not drawn again, and what is asked for twice is one file."""

    def __init__(self, asked: Iterable[LargePicture], *, folder: Path) -> None:
        self.folder = folder
        self._asked = {one.recipe.file: one for one in asked}

    def check(self, device: torch.device) -> None:
        """Raises ConfigError with all that is wrong."""
        problems = {str(problem): problem for one in self._asked.values() for problem in one.problems(device)}
        if problems:
            raise ConfigError(problems.values())

    def __len__(self) -> int:
        return len(self._asked)

    def missing(self) -> int:
        """How many are to be drawn."""
        return len(PictureStore(self.folder, [one.recipe for one in self._asked.values()], {}).missing())

    def draw(self, provenance: Provenance, *, precision: Precision, device: torch.device) -> None:
        """Once the low pictures are there that mixes draw. An upscaler is loaded once, whatever its settings."""
        given = {one.low.file: (one.given, one.low) for one in self._asked.values() if one.given}
        keep_given([picture for picture, _ in given.values()], [low for _, low in given.values()], self.folder)
        by_weights: dict[object, list[LargePicture]] = {}
        for one in self._asked.values():
            by_weights.setdefault(one.upscaler.weights, []).append(one)
        for group in by_weights.values():
            store = self._store(group, provenance)
            if store.missing():
                self._draw(store, group, precision=precision, device=device)
                reclaim()
            store.rewrite()

    def save_sheet(self, provenance: Provenance) -> None:
        """Of all that was enlarged in the folder."""
        rows, shown = enlarged_in(self.folder)
        provenance.save(sheet_of(rows), self.folder / UPSCALING / SHEET, self.made_by(), parts=shown)

    def outcomes(self) -> list[Outcome]:
        return PictureStore(self.folder, [one.recipe for one in self._asked.values()], {}).outcomes()

    def made_by(self) -> MadeBy:
        """What all of them say of the weights that drew them."""
        mixes = dict.fromkeys(one.mix for one in self._asked.values() if one.given is None)
        upscalers = {one.upscaler.weights: one.upscaler for one in self._asked.values()}
        return MadeBy.all_of([*(mix.made_by() for mix in mixes), *(one.made_by() for one in upscalers.values())])

    def _draw(
        self, store: PictureStore, group: Sequence[LargePicture], *, precision: Precision, device: torch.device
    ) -> None:
        model = group[0].upscaler.load(loading_to_draw(precision, device), device)
        lows = PictureStore(self.folder, list({one.low.file: one.low for one in group}.values()), {})
        with computing(precision, device):
            generate_missing(
                store,
                from_low(lows, partial(self._drawn, model)),
                batch_size=1,
                label="Enlarging",
                counts_failures=False,
            )

    def _drawn(self, model: Model, recipe: Recipe, low: Image.Image) -> Image.Image:
        return self._asked[recipe.file].upscaler.drawn(model, recipe, low)

    def _store(self, group: Sequence[LargePicture], provenance: Provenance) -> PictureStore:
        """Of one upscaler. Its pictures say what made the low ones, too, and of which they are made."""
        low_made_by, made_by = cache(Mix.made_by), cache(group[0].upscaler.made_by)

        def save(picture: Image.Image, file: Path) -> None:
            one = self._asked[file.name]
            told = one.recipe.facts
            low = file_hash(self.folder / told[LOW])
            settings = tuple(f"{KEY}.{name}={told[KEY][name]}" for name in SHOWN if name in told[KEY])
            drawn_by = MadeBy.all_of([OF_NONE if one.given else low_made_by(one.mix), made_by()])
            provenance.save(picture, file, drawn_by._replace(parents=(low,), settings=settings))

        writer = provenance.writer(made_by)._replace(save=save)
        return PictureStore(self.folder, [one.recipe for one in group], {}, writer=writer)


def upscaler_of(mix: Mix, chosen: Upscaler | None, request: PictureRequest) -> Upscaler | None:
    """What enlarges: the chosen one what the mix draws, or the mix's own, by itself, the given pictures; None where
    nothing does. Raises ConfigError with all that cannot be together with it."""
    if chosen is None and request.picture is None:
        return None
    source, _ = mix.chosen()
    is_upscaler = source.facts().upscaling is not None
    beside = _beside_its_own if is_upscaler else _beside_drawing
    if problems := list(beside(mix, chosen, request)):
        raise ConfigError(problems)
    if not is_upscaler:
        return chosen
    return Upscaler(replace(request.upscaler, **_sampling(request)), source, mix.runs[0], dict(mix.scale))


def idle_settings(request: PictureRequest) -> Iterator[Problem]:
    """What is said of how an upscaler works, to a request that has none."""
    if request.picture is None and (request.upscaler.run, request.upscaler.model) == (None, None):
        for name in ("level", "tile", *Sampler._fields):
            if (value := getattr(request.upscaler, name)) is not None:
                remedy = "there is no upscaler. Add upscaler=RUN, or upscaler=NAME for an untuned one."
                yield Problem(f"{KEY}.{name}", value, remedy)


def _beside_drawing(mix: Mix, chosen: Upscaler | None, request: PictureRequest) -> Iterator[Problem | str]:
    if request.picture is not None:
        draws = f"{mix.runs[0].folder.name} draws from prompts"
        remedy = f"{draws}. Give the run of an upscaler, or upscaler=RUN to enlarge what it draws."
        yield Problem("picture", request.picture, remedy)
    if chosen is not None and request.hires is not None:
        yield "upscaler and hires are both given. Choose one way to enlarge pictures."


def _beside_its_own(mix: Mix, chosen: Upscaler | None, request: PictureRequest) -> Iterator[Problem | str]:
    if request.picture is None:
        yield no_picture(mix)
    others = {
        "upscaler.run": chosen,
        "other runs": mix.runs[1:] or None,
        "hires": request.hires,
        "base": mix.base,
        "size": request.size,
        "rank": mix.rank,
        "weights": mix.weights,
    }
    if left_out := [name for name, value in others.items() if value is not None]:
        yield f"The run of an upscaler enlarges the picture as it is and by itself. Leave out {', '.join(left_out)}."
    for name, value in _sampling(request).items():
        if getattr(request.upscaler, name) not in (None, value):
            yield Problem(name, value, f"{KEY}.{name}={getattr(request.upscaler, name)} means the same here. Give one.")


def _sampling(request: PictureRequest) -> dict[str, Any]:
    """What the request says of a sampler."""
    return {name: getattr(request, name) for name in Sampler._fields if getattr(request, name) is not None}
