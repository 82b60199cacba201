"""The recipe's stages, in order; each takes the job and leaves its result in the work folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DiffusionPipeline, UNet2DConditionModel
from torch import nn
from transformers import CLIPModel, CLIPTextModel, CLIPTokenizer

from imprint.miniature.canvas import SIZE
from imprint.miniature.recipe import (
    autoencoder,
    checkpoint,
    clip,
    denoiser,
    flow,
    instance,
    oracle,
    standard_text,
    tokenizer,
    upscaler,
)
from imprint.miniature.recipe.bundle import assemble, assemble_upscaler, write, write_clip, write_instance, write_oracle
from imprint.miniature.recipe.latents import Latents, encoded
from imprint.miniature.recipe.loop import Course
from imprint.miniature.recipe.pictures import as_tensor, drawn, rendered
from imprint.miniature.recipe.settings import Schedule, Settings
from imprint.miniature.recipe.widening import spread_new_numbers, widened_autoencoder, widened_denoiser
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import Scene

WEIGHTS = Path(__file__).parents[1] / "weights"
FLOW_WEIGHTS = Path(__file__).parents[1] / "flow_weights"
UPSCALER_WEIGHTS = Path(__file__).parents[1] / "upscaler_weights"
EVALUATORS = Path(__file__).parents[1] / "evaluators"

MEASURED = 1024  # pictures whose latents tell how far the numbers of one spread
UPSCALER = "upscaler"  # its folder in the work folder


@dataclass(frozen=True)
class Job:
    """`continue_from` is a pipeline folder whose weights the stages start from, `continue_evaluators_from` a folder of
    evaluators, of which clip goes on; None starts from nothing."""

    settings: Settings
    work: Path
    minutes: float | None
    continue_from: Path | None
    continue_evaluators_from: Path | None
    out: Path
    flow_out: Path
    upscaler_out: Path
    evaluators: Path
    device: torch.device

    def course(self, name: str, schedule: Schedule) -> Course:
        return Course(
            name=name,
            schedule=schedule,
            work=self.work,
            seed=self.settings.seed,
            minutes=self.minutes,
            checkpoint_every_s=self.settings.checkpoint_every_s,
            device=self.device,
        )


def train_autoencoder(job: Job) -> None:
    s = job.settings
    known = _vae(job.continue_from) if job.continue_from else None
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
    s, vae = job.settings, _vae(job.work)
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


def train_flow(job: Job) -> None:
    """From the weights of the other miniature, whose autoencoder and words it keeps."""
    s, words = job.settings, CLIPTokenizer.from_pretrained(job.out / "tokenizer")
    scenes = [pretraining_scene(s.seed, i) for i in range(s.pictures)]
    generator = _stored(job.out)
    _standardise_text(job, generator, words)
    denoiser.train(
        generator,
        s.flow,
        _encoded(job, _vae(job.out)),
        scenes,
        words,
        course=job.course("flow", s.flow),
        loss=partial(flow.flow_loss, s.flow),
    )


def export_flow(job: Job) -> None:
    """As `export`, of the miniature of the flow kind."""
    generator = _stored(job.out)
    state = _averaged(job, "flow", generator)
    words = CLIPTokenizer.from_pretrained(job.out / "tokenizer")
    _write(assemble(_vae(job.out), generator, words, flow.schedule()), job.flow_out, state)


def export(job: Job) -> None:
    """Writes the averaged weights of the latest checkpoints, however far they have come."""
    vae, words = _vae(job.work), _words(job)
    vae.register_to_config(scaling_factor=round(_latents(job).scaling_factor, 5))
    generator = _generator(job, words)
    state = _averaged(job, "denoiser", generator)
    _write(assemble(vae, generator, words, denoiser.noise_schedule()), job.out, state)


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
    s, own, reader = job.settings.upscaler, _vae(job.work / UPSCALER), _reader(job)
    unet = _fresh_upscaler(job, own, reader)
    upscaler.train(unet, s, own, _examples(job, own), reader, course=job.course("upscaler", s))


def export_upscaler(job: Job) -> None:
    own, reader = _vae(job.work / UPSCALER), _reader(job)
    unet = _fresh_upscaler(job, own, reader)
    state = _averaged(job, "upscaler", unet)
    _write(assemble_upscaler(own, unet, reader), job.upscaler_out, state)


def _large_pictures(job: Job) -> np.ndarray:
    return rendered(job.work, seed=job.settings.seed, count=job.settings.upscaler.pictures, size=upscaler.LARGE)


def _examples(job: Job, own: AutoencoderKL) -> upscaler.Examples:
    s, pictures = job.settings.upscaler, _large_pictures(job)
    latents = encoded(own, pictures, job.work, held_out=s.validation_pictures, device=job.device)
    latents.scaling_factor = own.config.scaling_factor
    return upscaler.Examples(pictures, [pretraining_scene(job.settings.seed, i) for i in range(s.pictures)], latents)


def _reader(job: Job) -> upscaler.Reader:
    """The flow miniature's: captions differ most in its numbers."""
    text_encoder = CLIPTextModel.from_pretrained(job.flow_out / "text_encoder", dtype=torch.float32)
    return upscaler.Reader(text_encoder, CLIPTokenizer.from_pretrained(job.flow_out / "tokenizer"))


def _fresh_upscaler(job: Job, own: AutoencoderKL, reader: upscaler.Reader) -> UNet2DConditionModel:
    torch.manual_seed(job.settings.seed)
    return upscaler.fresh(job.settings.upscaler, latent_channels=own.config.latent_channels, words=reader.width)


def _averaged(job: Job, stage: str, generator: nn.Module) -> dict[str, Any]:
    """Puts the averaged weights of a stage's checkpoint into the networks; returned is the checkpoint."""
    state = checkpoint.load(job.work / f"{stage}.pt")
    assert state is not None, f"the stage {stage} has not run"
    generator.load_state_dict(state["average"])
    return state


def _write(pipeline: DiffusionPipeline, folder: Path, state: Mapping[str, Any]) -> None:
    write(pipeline, folder)
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
    print(f"export: {folder} written, {size:.1f} MB, step {state['budget']['step']}", flush=True)


def _vae(folder: Path) -> AutoencoderKL:
    vae: AutoencoderKL = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    return vae


def _latents(job: Job) -> Latents:
    """Scaled as those of what is continued from, which its denoiser knows."""
    latents = _encoded(job, _vae(job.work))
    if job.continue_from:
        latents.scaling_factor = _vae(job.continue_from).config.scaling_factor
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


def train_clip(job: Job) -> None:
    s, known = job.settings, job.continue_evaluators_from
    words = CLIPTokenizer.from_pretrained(known / "clip") if known else tokenizer.build(job.work / "tokenizer")
    start = CLIPModel.from_pretrained(known / "clip", dtype=torch.float32) if known else None
    pictures, scenes = _evaluators_pictures(job)
    course = job.course("clip", s.clip)
    model = clip.train(s.clip, pictures, scenes, words, course=course, validation=s.validation_pictures, start=start)
    write_clip(model, words, job.evaluators / "clip")


def train_instance(job: Job) -> None:
    s = job.settings
    views = s.instance.views
    scene_at = partial(instance.view_number, s.seed, views)
    pictures = drawn(job.work, f"individuals-{s.seed}-{views}", s.instance.individuals * views, scene_at)
    model = instance.train(s.instance, pictures, course=job.course("instance", s.instance))
    write_instance(model, job.evaluators / "instance")


def train_oracle(job: Job) -> None:
    s = job.settings
    pictures, scenes = _evaluators_pictures(job)
    course = job.course("oracle", s.oracle)
    model = oracle.train(s.oracle, pictures, scenes, course=course, validation=s.validation_pictures)
    write_oracle(model, s.oracle.channels, job.evaluators / "oracle")


def _evaluators_pictures(job: Job) -> tuple[np.ndarray, list[Scene]]:
    """Other pictures than the generator's: no evaluator has seen what the generator learnt from."""
    seed, count = job.settings.seed + 1, job.settings.pictures
    return rendered(job.work, seed=seed, count=count), [pretraining_scene(seed, i) for i in range(count)]


STAGES: dict[str, Callable[[Job], None]] = {
    "autoencoder": train_autoencoder,
    "decoder": train_decoder,
    "denoiser": train_denoiser,
    "export": export,
    "flow": train_flow,
    "export_flow": export_flow,
    "upscaler_autoencoder": train_upscaler_autoencoder,
    "upscaler": train_upscaler,
    "export_upscaler": export_upscaler,
    "clip": train_clip,
    "instance": train_instance,
    "oracle": train_oracle,
}
