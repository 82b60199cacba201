"""Text to picture: the autoencoder, the denoiser with its text encoder, and the flow that the same networks learn."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from imprint.miniature.canvas import SIZE
from imprint.miniature.recipe import autoencoder, denoiser, flow, standard_text, tokenizer
from imprint.miniature.recipe.bundle import assemble
from imprint.miniature.recipe.latents import Latents, encoded
from imprint.miniature.recipe.pictures import as_tensor, rendered
from imprint.miniature.recipe.stages.job import Job, averaged, stored_autoencoder, write_pipeline
from imprint.miniature.recipe.widening import spread_new_numbers, widened_autoencoder, widened_denoiser
from imprint.miniature.sampling import pretraining_scene

MEASURED = 1024  # pictures whose latents tell how far the numbers of one spread


def train_autoencoder(job: Job) -> None:
    s = job.settings
    known = stored_autoencoder(job.continue_from) if job.continue_from else None
    torch.manual_seed(s.seed)
    start = known and widened_autoencoder(known, s.autoencoder.latent_channels)
    pictures = rendered(job.work, seed=s.seed, count=s.pictures)
    trained = autoencoder.train(
        s.autoencoder,
        pictures,
        course=job.course("autoencoder", s.autoencoder),
        validation=s.validation_pictures,
        loss=partial(autoencoder.reconstruction_loss, s.autoencoder, known),
        start=start,
    )
    if known and known.config.latent_channels < s.autoencoder.latent_channels:
        some = as_tensor(pictures[:MEASURED])
        spread_new_numbers(trained, some, known=known.config.latent_channels, spread=s.autoencoder.new_spread)
    trained.save_pretrained(job.work / "vae")


def train_decoder(job: Job) -> None:
    """The autoencoder's second half alone: latents stay what they are, whatever has been taught to make them."""
    s, vae = job.settings, stored_autoencoder(job.work)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    trained = autoencoder.train(
        replace(s.autoencoder, **asdict(s.decoder)),
        rendered(job.work, seed=s.seed, count=s.pictures),
        course=job.course("decoder", s.decoder),
        validation=s.validation_pictures,
        loss=partial(autoencoder.reconstruction_loss, s.autoencoder, None),
        start=vae,
    )
    trained.save_pretrained(job.work / "vae")


def train_denoiser(job: Job) -> None:
    s = job.settings
    latents, words = _latents(job), _words(job)
    scenes = [pretraining_scene(s.seed, i) for i in range(s.pictures)]
    course = job.course("denoiser", s.denoiser)
    alphas = denoiser.noise_schedule().alphas_cumprod.to(job.device)
    loss = partial(denoiser.denoising_loss, s.denoiser, alphas)
    denoiser.train(_generator(job, words), s.denoiser, latents, scenes, words, course=course, loss=loss)


def export(job: Job) -> None:
    """Writes the averaged weights of the latest checkpoints, however far they have come."""
    vae, words = stored_autoencoder(job.work), _words(job)
    vae.register_to_config(scaling_factor=round(_latents(job).scaling_factor, 5))
    generator = _generator(job, words)
    state = averaged(job, "denoiser", generator)
    write_pipeline(assemble(vae, generator, words, denoiser.noise_schedule()), job.out, state)


def train_flow(job: Job) -> None:
    """From the weights of the other miniature, whose autoencoder and words it keeps."""
    s, words = job.settings, CLIPTokenizer.from_pretrained(job.out / "tokenizer")
    scenes = [pretraining_scene(s.seed, i) for i in range(s.pictures)]
    generator = _stored(job.out)
    _standardise_text(job, generator, words)
    denoiser.train(
        generator,
        s.flow,
        _encoded(job, stored_autoencoder(job.out)),
        scenes,
        words,
        course=job.course("flow", s.flow),
        loss=partial(flow.flow_loss, s.flow),
    )


def export_flow(job: Job) -> None:
    """As `export`, of the miniature of the flow kind."""
    generator = _stored(job.out)
    state = averaged(job, "flow", generator)
    words = CLIPTokenizer.from_pretrained(job.out / "tokenizer")
    write_pipeline(assemble(stored_autoencoder(job.out), generator, words, flow.schedule()), job.flow_out, state)


def _latents(job: Job) -> Latents:
    """Scaled as those of what is continued from, which its denoiser knows."""
    latents = _encoded(job, stored_autoencoder(job.work))
    if job.continue_from:
        latents.scaling_factor = stored_autoencoder(job.continue_from).config.scaling_factor
    return latents


def _encoded(job: Job, vae: AutoencoderKL) -> Latents:
    s = job.settings
    return encoded(
        vae,
        rendered(job.work, seed=s.seed, count=s.pictures),
        job.work,
        held_out=s.validation_pictures,
        device=job.device,
    )


def _words(job: Job) -> CLIPTokenizer:
    """The generator's: a text encoder that goes on learning knows the tokens that it has learned, by their numbers."""
    if job.continue_from:
        known: CLIPTokenizer = CLIPTokenizer.from_pretrained(job.continue_from / "tokenizer")
        return known
    return tokenizer.build(job.work / "tokenizer")


def _generator(job: Job, words: CLIPTokenizer) -> denoiser.Generator:
    """As training begins."""
    s = job.settings
    torch.manual_seed(s.seed)
    channels, size = s.autoencoder.latent_channels, SIZE // 2 ** (len(s.autoencoder.channels) - 1)
    if job.continue_from:
        generator = _stored(job.continue_from)
        generator.unet = widened_denoiser(generator.unet, channels)
    else:
        generator = denoiser.fresh(s.text, s.denoiser, words, latent_channels=channels, latent_size=size)
    _standardise_text(job, generator, words)
    return generator


def _standardise_text(job: Job, generator: denoiser.Generator, words: CLIPTokenizer) -> None:
    s = job.settings
    scenes = [pretraining_scene(s.seed, i) for i in range(min(s.pictures, standard_text.CAPTIONS))]
    captions = denoiser.captions_of(scenes, key=(s.seed, 0), drop=s.denoiser.drop_caption)
    standard_text.standardise(generator, words, captions)


def _stored(folder: Path) -> denoiser.Generator:
    return denoiser.Generator(
        CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32),
        UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32),
    )
