"""The recipe's stages, in order; each takes the job and leaves its result in the work folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from imprint.miniature.canvas import SIZE
from imprint.miniature.recipe import autoencoder, checkpoint, clip, denoiser, instance, oracle, tokenizer
from imprint.miniature.recipe.bundle import assemble, write, write_clip, write_instance, write_oracle
from imprint.miniature.recipe.latents import Latents, encoded
from imprint.miniature.recipe.loop import Course
from imprint.miniature.recipe.pictures import drawn, rendered
from imprint.miniature.recipe.settings import Schedule, Settings
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import Scene

WEIGHTS = Path(__file__).parents[1] / "weights"
EVALUATORS = Path(__file__).parents[1] / "evaluators"


@dataclass(frozen=True)
class Job:
    """`continue_from` is a pipeline folder whose weights the stages start from; None starts from nothing."""

    settings: Settings
    work: Path
    minutes: float | None
    continue_from: Path | None
    out: Path
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
    start = (
        AutoencoderKL.from_pretrained(job.continue_from / "vae", torch_dtype=torch.float32)
        if job.continue_from
        else None
    )
    pictures = rendered(job.work, seed=s.seed, count=s.pictures)
    trained = autoencoder.train(
        s.autoencoder,
        pictures,
        course=job.course("autoencoder", s.autoencoder),
        validation=s.validation_pictures,
        start=start,
    )
    trained.save_pretrained(job.work / "vae")


def train_denoiser(job: Job) -> None:
    s = job.settings
    latents, words = _latents(job), _words(job)
    scenes = [pretraining_scene(s.seed, i) for i in range(s.pictures)]
    course = job.course("denoiser", s.denoiser)
    denoiser.train(_generator(job, words), s.denoiser, latents, scenes, words, course=course)


def export(job: Job) -> None:
    """Writes the averaged weights of the latest checkpoints, however far they have come."""
    vae = AutoencoderKL.from_pretrained(job.work / "vae", torch_dtype=torch.float32)
    vae.register_to_config(scaling_factor=round(_latents(job).scaling_factor, 5))
    words = _words(job)
    generator = _generator(job, words)
    state = checkpoint.load(job.work / "denoiser.pt")
    assert state is not None, "the stage denoiser has not run"
    generator.load_state_dict(state["average"])
    write(assemble(vae, generator, words), job.out)
    size = sum(f.stat().st_size for f in job.out.rglob("*") if f.is_file()) / 1e6
    print(f"export: {job.out} written, {size:.1f} MB, denoiser step {state['budget']['step']}", flush=True)


def _latents(job: Job) -> Latents:
    s = job.settings
    vae = AutoencoderKL.from_pretrained(job.work / "vae", torch_dtype=torch.float32)
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
    s = job.settings
    if job.continue_from:
        return denoiser.Generator(
            CLIPTextModel.from_pretrained(job.continue_from / "text_encoder", dtype=torch.float32),
            UNet2DConditionModel.from_pretrained(job.continue_from / "unet", torch_dtype=torch.float32),
        )
    torch.manual_seed(s.seed)
    size = SIZE // 2 ** (len(s.autoencoder.channels) - 1)
    return denoiser.fresh(s.text, s.denoiser, words, latent_channels=s.autoencoder.latent_channels, latent_size=size)


def train_clip(job: Job) -> None:
    s = job.settings
    words = tokenizer.build(job.work / "tokenizer")
    pictures, scenes = _evaluators_pictures(job)
    course = job.course("clip", s.clip)
    model = clip.train(s.clip, pictures, scenes, words, course=course, validation=s.validation_pictures)
    write_clip(model, job.evaluators / "clip")


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
    "denoiser": train_denoiser,
    "export": export,
    "clip": train_clip,
    "instance": train_instance,
    "oracle": train_oracle,
}
