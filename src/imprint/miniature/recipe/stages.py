"""The recipe's stages, in order; each takes the job and leaves its result in the work folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from imprint.miniature.canvas import SIZE
from imprint.miniature.recipe import autoencoder, checkpoint, denoiser, tokenizer
from imprint.miniature.recipe.bundle import assemble, write
from imprint.miniature.recipe.latents import Latents, encoded
from imprint.miniature.recipe.loop import Course
from imprint.miniature.recipe.pictures import rendered
from imprint.miniature.recipe.settings import Schedule, Settings
from imprint.miniature.sampling import pretraining_scene

WEIGHTS = Path(__file__).parents[1] / "weights"


@dataclass(frozen=True)
class Job:
    """`continue_from` is a pipeline folder whose weights the stages start from; None starts from nothing."""

    settings: Settings
    work: Path
    minutes: float | None
    continue_from: Path | None
    out: Path
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
    latents, words = _latents(job), tokenizer.build(job.work / "tokenizer")
    scenes = [pretraining_scene(s.seed, i) for i in range(s.pictures)]
    course = job.course("denoiser", s.denoiser)
    denoiser.train(_generator(job, words), s.denoiser, latents, scenes, words, course=course)


def export(job: Job) -> None:
    """Writes the averaged weights of the latest checkpoints, however far they have come."""
    vae = AutoencoderKL.from_pretrained(job.work / "vae", torch_dtype=torch.float32)
    vae.register_to_config(scaling_factor=round(_latents(job).scaling_factor, 5))
    words = tokenizer.build(job.work / "tokenizer")
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


STAGES: dict[str, Callable[[Job], None]] = {
    "autoencoder": train_autoencoder,
    "denoiser": train_denoiser,
    "export": export,
}
