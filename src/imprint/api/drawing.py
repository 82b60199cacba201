"""Pictures by a finished run, for programs: the model stays in memory from one call to the next."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from PIL import Image

from imprint.api.commands import settings_of
from imprint.errors import ConfigError, UserError
from imprint.libraries.process import without_denormals
from imprint.methods.adapter_layers import merge_exactly
from imprint.models.base import Model
from imprint.models.checkpoint.finding import left_out
from imprint.pictures.generate import generate_with
from imprint.pictures.second_pass import KEY as HIRES
from imprint.pictures.second_pass import SecondPass, Wanted
from imprint.pictures.store import Recipe
from imprint.process_folder import own_folder
from imprint.requests import as_list
from imprint.results.given_pictures import given_pictures, middle
from imprint.results.load import own_model, trained_model
from imprint.results.upscaling import KEY as UPSCALER
from imprint.results.upscaling import Upscaler
from imprint.runs import Run
from imprint.training.trainer import available_device
from imprint.verbs.generate import filled


class RunModel:
    """What a run taught, as a model on a device."""

    def __init__(self, files: Run) -> None:
        self._files = files
        self._loaded: tuple[str, Model] | None = None

    def draw(
        self,
        prompt: str | Sequence[str],
        seeds: Sequence[int],
        sampler: Mapping[str, Any],
        *,
        size: tuple[int, int] | None,
        hires: str | Mapping[str, Any] | None,
        device: str,
    ) -> list[Image.Image]:
        run = self._finished()
        if own_model(run, {}).facts().upscaling is not None:
            raise UserError(
                f"{run.folder.name} is an upscaler's run, which draws nothing from prompts: run.enlarge(...)"
            )
        prompts = filled(as_list(prompt), run.concepts, key="prompt")
        model = self._on(device)
        unknown = sampler.keys() - set(model.sampler._fields)
        if unknown:
            raise UserError(f"{', '.join(sorted(unknown))}: a sampler has {', '.join(model.sampler._fields)}.")
        chosen = model.sampler._replace(**sampler)
        once = [Recipe("", text, seed, chosen, size or run.frame, {}) for text in prompts for seed in seeds]
        again = _second_pass(hires)
        wanted = self._larger(again, once, model) if again else [Wanted(recipe) for recipe in once]
        draw = generate_with(model)
        with torch.no_grad(), without_denormals():
            pictures = []
            for recipe, one in zip(once, wanted, strict=True):
                [picture] = draw([recipe])
                pictures.append(one.again.drawn(model, one.recipe, picture) if one.again else picture)
            return pictures

    def enlarge(
        self,
        given: Sequence[Image.Image | str | Path],
        prompt: str,
        seed: int,
        upscaler: Mapping[str, Any],
        *,
        device: str,
    ) -> list[Image.Image]:
        run = self._finished()
        settings = settings_of(UPSCALER, {**upscaler, "run": None, "model": None})
        enlarges = Upscaler(settings, own_model(run, {}), run)
        lows: list[Image.Image] = []
        for one in given:
            if isinstance(one, Image.Image):
                lows.append(middle(one.convert("RGB"), enlarges.enlarged_part(one)))
            else:
                lows += [found.load() for found in given_pictures(str(one), key="picture", upscaler=enlarges)]
        sizes = [(low.height, low.width) for low in lows]
        problems = [problem for size in sizes for problem in enlarges.problems(size)]
        if problems:
            raise ConfigError({str(problem): problem for problem in problems}.values())
        [text] = filled([prompt], run.concepts, key="prompt")
        recipes = [enlarges.recipe(Recipe("", text, seed, enlarges.sampler, size, {}), run.concepts) for size in sizes]
        model = self._on(device)
        with without_denormals():
            return [enlarges.drawn(model, recipe, low) for recipe, low in zip(recipes, lows, strict=True)]

    def pipeline(self) -> DiffusionPipeline:
        model, _, method = trained_model(self._finished(), scale={}, quantised=False)
        formats = {**model.formats, **method.formats(model)}
        with tempfile.TemporaryDirectory(dir=own_folder(), ignore_cleanup_errors=True) as folder:
            place = Path(folder) / "pipeline"
            formats["pipeline"].write(place, torch.float32)
            without = dict.fromkeys(left_out(place))  # which the library wants to be told
            pipeline: DiffusionPipeline = DiffusionPipeline.from_pretrained(place, disable_mmap=True, **without)
        return pipeline

    def _finished(self) -> Run:
        """As it is now: it may have finished since it was opened."""
        return Run.finished(self._files.folder, trust=self._files.trust)

    def _on(self, device: str) -> Model:
        if self._loaded is None or self._loaded[0] != device:
            model = trained_model(self._finished(), scale={}).model.to(available_device(device))
            merge_exactly(model.roles.values())
            self._loaded = device, model
        return self._loaded[1]

    def _larger(self, again: SecondPass, once: Sequence[Recipe], model: Model) -> list[Wanted]:
        """What is drawn in place of each of these. Raises ConfigError with all that is wrong with it."""
        facts = own_model(self._finished(), {}).facts()
        problems = [problem for recipe in once for problem in again.problems(recipe.size, recipe.sampler, facts)]
        if problems:
            raise ConfigError({str(problem): problem for problem in problems}.values())
        wanted = [again.wanted(recipe, facts) for recipe in once]
        for one in wanted:
            one.check(model)
        return wanted


def _second_pass(hires: str | Mapping[str, Any] | None) -> SecondPass | None:
    """A choice of conf/hires, or settings of a second pass. Raises ConfigError with all that is wrong with them."""
    if hires is None:
        return None
    choice, own = (hires, {}) if isinstance(hires, str) else ("second_pass", hires)
    again: SecondPass | None = settings_of(HIRES, own, f"{HIRES}={choice}")
    return again
