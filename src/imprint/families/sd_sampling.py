"""Drawing pictures with the library's own pipeline around a family's networks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import diffusers  # which loads its pipelines when they are asked for
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from torch import Tensor, nn

from imprint.errors import Problem, UserError
from imprint.families.noise import build_scheduler, draws_from_one_seed
from imprint.families.sd_checkpoint import SCHEDULER_CONFIG, pixel_multiple
from imprint.types import Conditioning, Sampler

if TYPE_CHECKING:
    from imprint.families.sd import StableDiffusion


def sample(
    family: "StableDiffusion",
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    sampler: Sampler,
    height: int,
    width: int,
) -> list[Image.Image]:
    """One picture per (prompt, seed).

    Every picture has its own generator on the CPU, for the first noise and for what the scheduler adds on
    the way. A scheduler that takes one seed for the noise of a whole batch draws its pictures one at a
    time; it makes that noise on the device, so those pictures are the same only on the same kind of device.
    """
    assert len(prompts) == len(seeds), "one seed for each prompt"
    _check_size(height, width, pixel_multiple(family.vae.config))
    config, prediction = family.checkpoint.config(SCHEDULER_CONFIG), family.schedule.prediction
    scheduler = build_scheduler(config, sampler.scheduler, prediction)
    if not draws_from_one_seed(scheduler):
        latents_BCHW = _latents(family, scheduler, prompts, seeds, sampler=sampler, height=height, width=width)
    else:
        latents: list[Tensor] = []
        for prompt, seed in zip(prompts, seeds, strict=True):
            scheduler = build_scheduler(config, sampler.scheduler, prediction, noise_sampler_seed=seed)
            latents.append(_latents(family, scheduler, [prompt], [seed], sampler=sampler, height=height, width=width))
        latents_BCHW = torch.cat(latents)
    # one at a time: in a batch the autoencoder, not the denoiser, would need the most memory
    return [_picture(family.decode(latent_BCHW)) for latent_BCHW in latents_BCHW.split(1)]


def _latents(
    family: "StableDiffusion",
    scheduler: Any,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    sampler: Sampler,
    height: int,
    width: int,
) -> Tensor:
    pipeline = diffusers.StableDiffusionPipeline(
        vae=family.vae,
        text_encoder=None,
        tokenizer=None,
        unet=_Denoiser(family),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    guided = sampler.guidance > 1
    refused_BLD = family.condition([sampler.negative_prompt] * len(prompts)).tokens_BLD if guided else None
    latents_BCHW: Tensor = pipeline(
        prompt_embeds=family.condition(prompts).tokens_BLD,
        negative_prompt_embeds=refused_BLD,
        num_inference_steps=sampler.steps,
        guidance_scale=sampler.guidance,
        height=height,
        width=width,
        generator=[torch.Generator().manual_seed(seed) for seed in seeds],
        output_type="latent",
    ).images
    return latents_BCHW


class _Denoiser(nn.Module):
    """The family's denoiser as the pipeline calls it. Between steps the latents stay in float32, whatever the
    precision of the networks."""

    dtype = torch.float32

    def __init__(self, family: "StableDiffusion") -> None:
        super().__init__()
        self.config = family.unet.config
        self.device = next(family.unet.parameters()).device
        self._predict = family.denoise

    def forward(self, noisy_BCHW: Tensor, t: Tensor, *, encoder_hidden_states: Tensor, **_: Any) -> tuple[Tensor]:
        t_B = t.expand(len(noisy_BCHW)).to(noisy_BCHW.device)
        return (self._predict(noisy_BCHW, t_B, Conditioning(encoder_hidden_states, {})),)


def _picture(pixels_BCHW: Tensor) -> Image.Image:
    picture: Image.Image = VaeImageProcessor().postprocess(pixels_BCHW)[0]
    return picture


def _check_size(height: int, width: int, multiple: int) -> None:
    wrong = [(name, value) for name, value in (("height", height), ("width", width)) if value % multiple]
    if wrong:
        remedy = f"this model needs a multiple of {multiple}."
        raise UserError("\n".join(str(Problem(name, value, remedy)) for name, value in wrong))
