"""Picture to larger picture: an autoencoder of its own, and a denoiser that sees the small picture."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from imprint.miniature.recipe import autoencoder, upscaler
from imprint.miniature.recipe.bundle import assemble_upscaler
from imprint.miniature.recipe.latents import encoded
from imprint.miniature.recipe.pictures import as_tensor, rendered
from imprint.miniature.recipe.stages.job import Job, averaged, stored_autoencoder, write_pipeline
from imprint.miniature.sampling import pretraining_scene

UPSCALER = "upscaler"  # its folder in the work folder


def train_upscaler_autoencoder(job: Job) -> None:
    s = job.settings
    trained = autoencoder.train(
        s.upscaler_autoencoder,
        _large_pictures(job),
        course=job.course("upscaler_autoencoder", s.upscaler_autoencoder),
        validation=s.upscaler.validation_pictures,
        loss=partial(upscaler.autoencoder_loss, s.upscaler_autoencoder),
    )
    upscaler.standardise(trained, as_tensor(_large_pictures(job)[: upscaler.STANDARDISED_BY]))
    trained.save_pretrained(job.work / UPSCALER / "vae")


def train_upscaler(job: Job) -> None:
    s, own, reader = job.settings.upscaler, stored_autoencoder(job.work / UPSCALER), caption_reader(job)
    unet = fresh_denoiser(job, own, reader)
    upscaler.train(unet, s, own, large_examples(job, own), reader, course=job.course("upscaler", s))


def export_upscaler(job: Job) -> None:
    own, reader = stored_autoencoder(job.work / UPSCALER), caption_reader(job)
    unet = fresh_denoiser(job, own, reader)
    state = averaged(job, "upscaler", unet)
    write_pipeline(assemble_upscaler(own, unet, reader), job.upscaler_out, state)


def _large_pictures(job: Job) -> np.ndarray:
    return rendered(job.work, seed=job.settings.seed, count=job.settings.upscaler.pictures, size=upscaler.LARGE)


def large_examples(job: Job, own: AutoencoderKL) -> upscaler.Examples:
    s, pictures = job.settings.upscaler, _large_pictures(job)
    latents = encoded(own, pictures, job.work, held_out=s.validation_pictures, device=job.device)
    latents.scaling_factor = own.config.scaling_factor
    return upscaler.Examples(pictures, [pretraining_scene(job.settings.seed, i) for i in range(s.pictures)], latents)


def caption_reader(job: Job) -> upscaler.Reader:
    """The flow miniature's: captions differ most in its numbers."""
    text_encoder = CLIPTextModel.from_pretrained(job.flow_out / "text_encoder", dtype=torch.float32)
    return upscaler.Reader(text_encoder, CLIPTokenizer.from_pretrained(job.flow_out / "tokenizer"))


def fresh_denoiser(job: Job, own: AutoencoderKL, reader: upscaler.Reader) -> UNet2DConditionModel:
    torch.manual_seed(job.settings.seed)
    return upscaler.fresh(job.settings.upscaler, latent_channels=own.config.latent_channels, words=reader.width)
