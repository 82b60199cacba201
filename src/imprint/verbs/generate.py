"""imprint generate: pictures of a trained run, each with the prompt and seed that made it."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Literal

from omegaconf import DictConfig
from pydantic import PositiveInt

from imprint.errors import ConfigError, UserError
from imprint.locations import locate
from imprint.methods.adapter_layers import merge_exactly
from imprint.models.block_swap import BlockSwap
from imprint.models.residency import reclaim
from imprint.models.roles import DENOISER
from imprint.pictures.second_pass import Wanted
from imprint.pictures.store import Outcome
from imprint.planning.assemble import computing
from imprint.planning.residence import loading_to_draw
from imprint.requests import as_list, prompts_in
from imprint.results.combine import combined_model
from imprint.results.enlarging import Enlarging, LargePicture, idle_settings, upscaler_of
from imprint.results.given_pictures import GivenPicture, given_pictures
from imprint.results.mix import Mix, check_second_passes, check_size, passes_of
from imprint.results.picture_request import PictureRequest, read_picture_request
from imprint.results.upscaling import Upscaler
from imprint.runs import Run
from imprint.templates import placeholders, template_fault
from imprint.training.trainer import available_device, has_own_memory
from imprint.types import Concept, prompts_of

log = logging.getLogger(__name__)

SHOWN = 8  # files that the log names at the end


@dataclass(frozen=True, kw_only=True)
class Request(PictureRequest):
    """What `generate.yaml` asks for."""

    run: str | list[str]
    rank: PositiveInt | None
    precision: Literal["32", "bf16"]
    blocks_on_device: Literal["all"] | PositiveInt


def main(cfg: DictConfig) -> None:
    generate(cfg)


def generate(cfg: DictConfig) -> Path:
    """The folder of the pictures, and of those of earlier calls, with `pictures.json`, which says what made each."""
    request = read_picture_request(Request, cfg)
    runs = [Run.finished(locate(folder), trust=request.trust) for folder in as_list(request.run)]
    mix = Mix.of(runs, request, rank=request.rank, precision=request.precision, as_trained=True)
    upscaler = upscaler_of(mix, request.upscaler.chosen(request.trust), request)
    asked = dict.fromkeys(product(_prompts(request.prompt, mix.concepts), request.seeds))
    folder = locate(request.outputs)
    if upscaler is None:
        check_size(mix, request)
        if idle := list(idle_settings(request)):
            raise ConfigError(idle)
        pictures = _draw(mix, [mix.wanted(prompt, seed, request) for prompt, seed in asked], request)
    else:
        pictures = _enlarge(upscaler, mix, asked, request)
    for drawn in pictures[:SHOWN]:
        log.info("%s  %s", drawn.file, drawn.recipe.prompt)
    more = f" and {len(pictures) - SHOWN} more" if len(pictures) > SHOWN else ""
    log.info("Pictures%s: %s", more, folder)
    return folder


def _draw(mix: Mix, wanted: Sequence[Wanted], request: Request) -> list[Outcome]:
    """With a model that is in memory for as long as this takes."""
    check_second_passes([(mix, one) for one in wanted], request)
    passes = passes_of(mix, locate(request.outputs), wanted, request.provenance)
    if passes.missing():
        device = available_device(request.accelerator)
        loading = loading_to_draw(request.precision, device)
        swapped = request.blocks_on_device != "all" and has_own_memory(device)
        loading = replace(loading, device=None) if swapped else loading
        model, _ = combined_model(
            mix.runs, weights=mix.weights, scale=dict(mix.scale), base=mix.base, rank=mix.rank, loading=loading
        )
        model = model if swapped else model.to(device)
        merge_exactly(model.roles.values())
        if swapped and request.blocks_on_device != "all":
            model.block_swap = BlockSwap([model.roles[DENOISER]], device, request.blocks_on_device)
            model.to(device)
        with computing(request.precision, device):
            passes.draw(model, batch_size=request.batch_size, label="Drawing")
    passes.rewrite()
    return passes.outcomes()


def _enlarge(upscaler: Upscaler, mix: Mix, asked: Iterable[tuple[str, int]], request: Request) -> list[Outcome]:
    """The large pictures: of what the mix draws, or of the given ones."""
    folder, device = locate(request.outputs), available_device(request.accelerator)
    given: Sequence[GivenPicture | None] = [None]
    if request.picture is not None:
        given = given_pictures(request.picture, key="picture", upscaler=upscaler)
    large = [LargePicture.of(upscaler, mix, mix.recipe(*one, request), low) for one in asked for low in given]
    enlarging = Enlarging(large, folder=folder)
    enlarging.check(device)
    if request.picture is None:
        check_size(mix, request)
        _draw(mix, [Wanted(one.low) for one in large], request)
        reclaim()
    enlarging.draw(request.provenance, precision=request.precision, device=device)
    if request.upscaler.sheet:
        enlarging.save_sheet(request.provenance)
    return enlarging.outcomes()


def _prompts(given: str | Sequence[str], concepts: Sequence[Concept]) -> list[str]:
    texts = as_list(given)
    if isinstance(given, str) and given.endswith(".txt"):
        texts = prompts_in(given, key="prompt")
    if not texts:
        raise UserError(f"prompt={given!r}: there is no prompt in it.")
    return filled(texts, concepts, key=f"prompt={given!r}")


def filled(templates: Sequence[str], concepts: Sequence[Concept], *, key: str) -> list[str]:
    """The prompts with the words of the concepts in them. `key` begins the message of an error."""
    known = placeholders(concept.name for concept in concepts)
    if faults := [fault for text in templates if (fault := template_fault(text, known))]:
        raise UserError(f"{key}: {' '.join(faults)}")
    return [prompt for text in templates for prompt in prompts_of(text, concepts)]
