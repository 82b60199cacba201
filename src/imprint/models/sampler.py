"""Generating pictures: one loop for all models, over the library's schedulers."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from imprint.errors import Problem, UserError
from imprint.models.base import Model
from imprint.models.beginning import Begun, begin, encoded, first_step
from imprint.models.conditioning import joined, rows
from imprint.models.low_res import check_asked, conditioning_of_low_res, part_of_low_res
from imprint.models.schedulers import (
    draws_from_one_seed,
    extra_arguments,
    first_noise,
    scaled_input,
    with_timesteps,
)
from imprint.models.tiles import decoded, tile_size, tiling
from imprint.types import Beginning, Conditioning, Geometry, LowRes, Sampler, Tiles

Predict = Callable[[Tensor, Tensor], Tensor]  # of the denoiser's input and a scheduler's timestep: guided, float32


def sample(
    model: Model,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    sampler: Sampler,
    height: int,
    width: int,
    beginning: Beginning | None,
    tiles: Tiles | None,
    low_res: LowRes | None,
) -> list[Image.Image]:
    """One picture per (prompt, seed), the same as by the library's own pipeline.

    Every picture has its own generator on the CPU, for the first noise and for the noise that the scheduler adds in its
    steps. With a scheduler that takes one seed for a whole batch, pictures are generated one at a time; it makes that
    noise on the device, so they are the same only on the same kind of device. In tiles, too, they are generated one at
    a time: what is computed together then are tiles.
    """
    assert len(prompts) == len(seeds), "one seed for each prompt"
    size = (height, width)
    _check_size(size, model.pixel_multiple, model.largest_side if tiles is None else None)
    if tiles is not None:
        _check_size(tile_size(size, tiles), model.pixel_multiple, model.largest_side)
    check_asked(model, low_res, size)
    scheduler = model.scheduler(sampler.scheduler)
    one_seed = draws_from_one_seed(scheduler)
    if not one_seed and tiles is None:
        begun: dict[str, Any] = {"beginning": beginning, "low_res": low_res}
        latents_BCHW = _latents(model, scheduler, prompts, seeds, sampler=sampler, size=size, tiles=None, **begun)
    else:
        latents: list[Tensor] = []
        for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            scheduler = model.scheduler(sampler.scheduler, **({"noise_sampler_seed": seed} if one_seed else {}))
            begun = {"beginning": beginning and beginning.only(index), "low_res": low_res and low_res.only(index)}
            latents.append(
                _latents(model, scheduler, [prompt], [seed], sampler=sampler, size=size, tiles=tiles, **begun)
            )
        latents_BCHW = torch.cat(latents)
    # one at a time: in a batch the autoencoder, not the denoiser, would need the most memory
    return [decoded(model, latent_BCHW, size, tiles) for latent_BCHW in latents_BCHW.split(1)]


def generator_of(seed: int) -> torch.Generator:
    """All the noise of a picture comes from it."""
    return torch.Generator().manual_seed(seed)


def starting_noise(generator: torch.Generator, shape: Sequence[int]) -> Tensor:
    """What a picture begins as: the generator's first numbers."""
    return torch.randn(*shape, generator=generator)


def _latents(
    model: Model,
    scheduler: Any,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    sampler: Sampler,
    size: tuple[int, int],
    beginning: Beginning | None,
    tiles: Tiles | None,
    low_res: LowRes | None,
) -> Tensor:
    """Between steps the latents are in float32, whatever the precision of the networks."""
    device = next(model.roles["denoiser"].parameters()).device
    generators = [generator_of(seed) for seed in seeds]
    shape = model.latent_shape(*size)
    # each tile is a picture to the denoiser
    seen = shape if tiles is None else model.latent_shape(*tile_size(size, tiles))
    scheduler = with_timesteps(
        scheduler,
        sampler.steps,
        shift=model.drawing_shift(seen, sampler.steps),
        latent_shape=seen,
        sigmas=model.noise_levels(sampler.steps),
        device=device,
    )
    begun: Begun | None = None
    timesteps = scheduler.timesteps
    # the library takes a picture's latent from its distribution first, and then the noise, from the same generator
    found_BCHW = None if beginning is None else encoded(model, beginning.pictures, generators, device, tiles)
    low = conditioning_of_low_res(model, low_res, generators, device)
    noise_BCHW = torch.stack([starting_noise(generator, shape) for generator in generators]).to(device)
    if beginning is None or found_BCHW is None:
        latents_BCHW = first_noise(scheduler, noise_BCHW)
    else:
        flow = model.process.prediction == "flow"
        first = first_step(sampler.steps, beginning.strength, flow=flow)
        begun = begin(scheduler, first, beginning, found_BCHW, noise_BCHW)
        latents_BCHW, timesteps = begun.latents_BCHW, begun.timesteps
    if tiles is None:
        predict = _predicting(model, prompts, sampler, size, low)
    else:
        predict = _predicting_in_tiles(model, prompts[0], sampler, size, tiles, low=low)
    more = extra_arguments(scheduler, generators)
    for number, timestep in enumerate(timesteps):
        prediction_BCHW = predict(scaled_input(scheduler, latents_BCHW, timestep), timestep)
        latents_BCHW = scheduler.step(prediction_BCHW, timestep, latents_BCHW, **more, return_dict=False)[0]
        if begun is not None:
            latents_BCHW = begun.with_kept(latents_BCHW, number + 1)
    return latents_BCHW


def conditioning_of(model: Model, prompts: Sequence[str], sampler: Sampler, height: int, width: int) -> Conditioning:
    """Of pictures that are drawn. With guidance, the negative prompt's samples come first."""
    told = _told(model, prompts, sampler)
    copies = len(prompts) * (2 if model.draws_twice(sampler.guidance) else 1)
    return {**told, **model.encode_geometry([Geometry.whole(height, width)] * copies)}


def _told(model: Model, prompts: Sequence[str], sampler: Sampler) -> Conditioning:
    """What the denoiser is told of each picture, whatever its size."""
    texts = model.encode_text(prompts, empty_is_unconditional=False)
    copies = len(prompts)
    if model.draws_twice(sampler.guidance):
        negative = model.encode_negative([sampler.negative_prompt] * len(prompts))
        texts = joined([negative, texts])
        copies = 2 * len(prompts)
    return {**texts, **model.encode_guidance(sampler.guidance, copies)}


def _predicting(
    model: Model, prompts: Sequence[str], sampler: Sampler, size: tuple[int, int], low: Conditioning
) -> Predict:
    """With guidance, both predictions see the same low pictures."""
    copies = 2 if model.draws_twice(sampler.guidance) else 1
    conditioning = {**conditioning_of(model, prompts, sampler, *size), **joined([low] * copies)}
    return lambda noisy_BCHW, timestep: _predicted(model, sampler, noisy_BCHW, timestep, conditioning)


def _predicting_in_tiles(
    model: Model, prompt: str, sampler: Sampler, size: tuple[int, int], tiles: Tiles, *, low: Conditioning
) -> Predict:
    """Of a single picture: in each step the tiles' predictions become one, and the latent stays whole. The steps are
    therefore those of one picture, and so is the noise that a scheduler adds in them (arXiv 2302.08113)."""
    told = _told(model, [prompt], sampler)
    own = [rows(told, index) for index in range(2 if model.draws_twice(sampler.guidance) else 1)]
    every = tiling(model, size, tiles)
    pairs = list(zip(every.in_pixels, every.in_latents, strict=True))

    def predict(noisy_BCHW: Tensor, timestep: Tensor) -> Tensor:
        whole_BCHW = torch.zeros_like(noisy_BCHW)
        for start in range(0, len(pairs), tiles.batch):
            seen, within = zip(*pairs[start : start + tiles.batch], strict=True)
            texts = joined([part for part in own for _ in within])
            geometry = model.encode_geometry([tile.geometry(size) for tile in seen] * len(own))
            parts_BCHW = torch.cat([tile.of(noisy_BCHW) for tile in within])
            shown = joined([part_of_low_res(low, tile) for _ in own for tile in within])
            predicted_BCHW = _predicted(model, sampler, parts_BCHW, timestep, {**texts, **geometry, **shown})
            for tile, part_BCHW in zip(within, predicted_BCHW.split(1), strict=True):
                tile.add(whole_BCHW, part_BCHW)
        return whole_BCHW

    return predict


def _predicted(
    model: Model, sampler: Sampler, noisy_BCHW: Tensor, timestep: Tensor, conditioning: Conditioning
) -> Tensor:
    guided = model.draws_twice(sampler.guidance)
    noisy_BCHW = torch.cat([noisy_BCHW, noisy_BCHW]) if guided else noisy_BCHW
    t_B = model.process.time_of(timestep).expand(len(noisy_BCHW)).to(noisy_BCHW.device)
    prediction_BCHW = model.denoise(noisy_BCHW, t_B, conditioning)
    if guided:
        negative_BCHW, positive_BCHW = prediction_BCHW.chunk(2)
        prediction_BCHW = model.guided(positive_BCHW, negative_BCHW, sampler.guidance)
    return prediction_BCHW


def _check_size(size: tuple[int, int], multiple: int, largest: int | None) -> None:
    sides = zip(("height", "width"), size, strict=True)
    wrong = [(name, value) for name, value in sides if value % multiple or value > (largest or value)]
    if wrong:
        limit = "" if largest is None else f", {largest} at most"
        remedy = f"this model needs a multiple of {multiple}{limit}."
        raise UserError("\n".join(str(Problem(name, value, remedy)) for name, value in wrong))
