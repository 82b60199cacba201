"""Generating pictures: one loop for all models, over the library's schedulers."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from torch import Tensor

from imprint.errors import Problem, UserError
from imprint.models.base import Model
from imprint.models.beginning import Begun, begin, encoded, first_step
from imprint.models.conditioning import joined
from imprint.models.low_res import check_asked, conditioning_of_low_res
from imprint.models.schedulers import (
    draws_from_one_seed,
    extra_arguments,
    first_noise,
    scaled_input,
    with_timesteps,
)
from imprint.types import Beginning, Conditioning, Geometry, LowRes, Sampler


def sample(
    model: Model,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    sampler: Sampler,
    height: int,
    width: int,
    beginning: Beginning | None,
    low_res: LowRes | None,
) -> list[Image.Image]:
    """One picture per (prompt, seed), the same as by the library's own pipeline.

    Every picture has its own generator on the CPU, for the first noise and for the noise that the scheduler adds in its
    steps. With a scheduler that takes one seed for a whole batch, pictures are generated one at a time; it makes that
    noise on the device, so they are the same only on the same kind of device.
    """
    assert len(prompts) == len(seeds), "one seed for each prompt"
    _check_size(height, width, model.pixel_multiple, model.largest_side)
    check_asked(model, low_res, height, width)
    scheduler, size = model.scheduler(sampler.scheduler), (height, width)
    if not draws_from_one_seed(scheduler):
        begun: dict[str, Any] = {"beginning": beginning, "low_res": low_res}
        latents_BCHW = _latents(model, scheduler, prompts, seeds, sampler=sampler, size=size, **begun)
    else:
        latents: list[Tensor] = []
        for index, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True)):
            scheduler = model.scheduler(sampler.scheduler, noise_sampler_seed=seed)
            begun = {"beginning": beginning and beginning.only(index), "low_res": low_res and low_res.only(index)}
            latents.append(_latents(model, scheduler, [prompt], [seed], sampler=sampler, size=size, **begun))
        latents_BCHW = torch.cat(latents)
    # one at a time: in a batch the autoencoder, not the denoiser, would need the most memory
    return [_picture(model.decode(latent_BCHW)) for latent_BCHW in latents_BCHW.split(1)]


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
    low_res: LowRes | None,
) -> Tensor:
    """Between steps the latents are in float32, whatever the precision of the networks."""
    device = next(model.roles["denoiser"].parameters()).device
    generators = [generator_of(seed) for seed in seeds]
    guided = model.draws_twice(sampler.guidance)
    conditioning = conditioning_of(model, prompts, sampler, *size)
    shape = model.latent_shape(*size)
    scheduler = with_timesteps(
        scheduler,
        sampler.steps,
        shift=model.drawing_shift(shape, sampler.steps),
        latent_shape=shape,
        sigmas=model.noise_levels(sampler.steps),
        device=device,
    )
    begun: Begun | None = None
    timesteps = scheduler.timesteps
    # the library takes a picture's latent from its distribution first, and then the noise, from the same generator
    found_BCHW = None if beginning is None else encoded(model, beginning.pictures, generators, device)
    low = conditioning_of_low_res(model, low_res, generators, device)
    conditioning = {**conditioning, **(joined([low, low]) if guided else low)}
    noise_BCHW = torch.stack([starting_noise(generator, shape) for generator in generators]).to(device)
    if beginning is None or found_BCHW is None:
        latents_BCHW = first_noise(scheduler, noise_BCHW)
    else:
        flow = model.process.prediction == "flow"
        first = first_step(sampler.steps, beginning.strength, flow=flow)
        begun = begin(scheduler, first, beginning, found_BCHW, noise_BCHW)
        latents_BCHW, timesteps = begun.latents_BCHW, begun.timesteps
    more = extra_arguments(scheduler, generators)
    for number, timestep in enumerate(timesteps):
        noisy_BCHW = torch.cat([latents_BCHW, latents_BCHW]) if guided else latents_BCHW
        noisy_BCHW = scaled_input(scheduler, noisy_BCHW, timestep)
        t_B = model.process.time_of(timestep).expand(len(noisy_BCHW)).to(device)
        prediction_BCHW = model.denoise(noisy_BCHW, t_B, conditioning)
        if guided:
            negative_BCHW, positive_BCHW = prediction_BCHW.chunk(2)
            prediction_BCHW = model.guided(positive_BCHW, negative_BCHW, sampler.guidance)
        latents_BCHW = scheduler.step(prediction_BCHW, timestep, latents_BCHW, **more, return_dict=False)[0]
        if begun is not None:
            latents_BCHW = begun.with_kept(latents_BCHW, number + 1)
    return latents_BCHW


def conditioning_of(model: Model, prompts: Sequence[str], sampler: Sampler, height: int, width: int) -> Conditioning:
    """Of pictures that are drawn. With guidance, the negative prompt's samples come first."""
    texts = model.encode_text(prompts, empty_is_unconditional=False)
    copies = len(prompts)
    if model.draws_twice(sampler.guidance):
        negative = model.encode_negative([sampler.negative_prompt] * len(prompts))
        texts = joined([negative, texts])
        copies = 2 * len(prompts)
    geometry = model.encode_geometry([Geometry.whole(height, width)] * copies)
    return {**texts, **geometry, **model.encode_guidance(sampler.guidance, copies)}


def _picture(pixels_BCHW: Tensor) -> Image.Image:
    picture: Image.Image = VaeImageProcessor().postprocess(pixels_BCHW)[0]
    return picture


def _check_size(height: int, width: int, multiple: int, largest: int | None) -> None:
    sides = (("height", height), ("width", width))
    wrong = [(name, value) for name, value in sides if value % multiple or value > (largest or value)]
    if wrong:
        limit = "" if largest is None else f", {largest} at most"
        remedy = f"this model needs a multiple of {multiple}{limit}."
        raise UserError("\n".join(str(Problem(name, value, remedy)) for name, value in wrong))
