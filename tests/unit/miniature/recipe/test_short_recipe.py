"""The whole recipe in short: every stage improves what it is judged by on pictures it did not learn from."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPModel, CLIPTextModel, CLIPTokenizer, ViTModel

from imprint.miniature.canvas import stream
from imprint.miniature.recipe import (
    autoencoder,
    bundle,
    checkpoint,
    clip,
    denoiser,
    flow,
    instance,
    oracle,
    settings,
)
from imprint.miniature.recipe import tokenizer as words
from imprint.miniature.recipe.pictures import as_tensor, rendered
from imprint.miniature.recipe.stages import STAGES
from imprint.miniature.recipe.stages.evaluators import train_clip
from imprint.miniature.recipe.stages.job import Job
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import NAMED_SUBJECTS, named

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("recipe")]  # which is run once

PICTURES = 400
SHORT = (
    f"pictures={PICTURES}", "validation_pictures=100", "checkpoint_every_s=1000",
    "autoencoder.channels=[8,16,16,32]", "autoencoder.batch=8", "autoencoder.steps=60", "autoencoder.warmup=2",
    "autoencoder.ema=0.9",
    "decoder.batch=8", "decoder.steps=20", "decoder.warmup=2", "decoder.ema=0.9",
    "text.hidden=32", "text.layers=1",
    "denoiser.channels=[32,48]", "denoiser.heads=2", "denoiser.batch=32", "denoiser.steps=60", "denoiser.warmup=2",
    "denoiser.ema=0.9",
    "flow.batch=32", "flow.steps=60", "flow.warmup=2", "flow.ema=0.9",
    "upscaler.pictures=60", "upscaler.validation_pictures=20",
    "upscaler_autoencoder.channels=[8,16]", "upscaler_autoencoder.batch=8", "upscaler_autoencoder.steps=30",
    "upscaler_autoencoder.warmup=2", "upscaler_autoencoder.ema=0.9",
    "upscaler.channels=[32,32]", "upscaler.heads=2", "upscaler.batch=8", "upscaler.steps=20", "upscaler.warmup=2",
    "clip.hidden=32", "clip.layers=1", "clip.heads=2", "clip.batch=32", "clip.steps=120", "clip.warmup=2",
    "clip.ema=0.9",
    "instance.hidden=32", "instance.layers=1", "instance.heads=2", "instance.individuals=450",
    "instance.batch=32", "instance.steps=120", "instance.warmup=2", "instance.ema=0.9",
    "oracle.channels=[8,16,16,32]", "oracle.batch=32", "oracle.steps=60", "oracle.warmup=2", "oracle.ema=0.9",
)  # fmt: skip


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The recipe has been run from nothing, every stage of it."""
    work = tmp_path_factory.mktemp("recipe")
    job = Job(
        settings=settings.read(SHORT),
        work=work / "work",
        minutes=None,
        continue_from=None,
        continue_evaluators_from=None,
        out=work / "pipeline",
        flow_out=work / "flow",
        upscaler_out=work / "upscaler",
        evaluators=work / "evaluators",
        device=torch.device("cpu"),
    )
    for stage in STAGES.values():
        stage(job)
    return job


def held_out(job: Job, seed: int) -> tuple[Tensor, list[Scene]]:
    pictures = rendered(job.work, seed=seed, count=PICTURES)
    return as_tensor(pictures[-100:]), [pretraining_scene(seed, i) for i in range(PICTURES - 100, PICTURES)]


def test_the_autoencoder(job: Job) -> None:
    pixels, _ = held_out(job, 0)
    torch.manual_seed(0)
    before = autoencoder.psnr(autoencoder.fresh(job.settings.autoencoder), pixels)
    assert (
        autoencoder.psnr(AutoencoderKL.from_pretrained(job.out / "vae", torch_dtype=torch.float32), pixels) > before + 3
    )


def loss_of(job: Job, generator: denoiser.Generator, loss: denoiser.Loss) -> float:
    """On pictures that it did not learn from."""
    vocabulary = words.build(job.work / "tokenizer")
    pixels, scenes = held_out(job, 0)
    vae = AutoencoderKL.from_pretrained(job.out / "vae", torch_dtype=torch.float32)
    torch.manual_seed(1)
    with torch.no_grad():
        latents = vae.encode(pixels).latent_dist.sample() * vae.config.scaling_factor
        ids = denoiser.token_ids(vocabulary, denoiser.captions_of(scenes, key=(0, 0), drop=0.0))
        return float(loss(generator, latents, ids))


def stored(folder: Path) -> denoiser.Generator:
    return denoiser.Generator(
        CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32),
        UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32),
    )


def test_the_denoiser(job: Job) -> None:
    s, vocabulary = job.settings, words.build(job.work / "tokenizer")
    torch.manual_seed(0)
    fresh = denoiser.fresh(s.text, s.denoiser, vocabulary, latent_channels=s.autoencoder.latent_channels, latent_size=8)
    loss = partial(denoiser.denoising_loss, s.denoiser, denoiser.noise_schedule().alphas_cumprod)
    assert loss_of(job, stored(job.out), loss) < 0.8 * loss_of(job, fresh, loss)


def test_the_flow_from_the_denoisers_weights(job: Job) -> None:
    loss = partial(flow.flow_loss, job.settings.flow)
    assert loss_of(job, stored(job.flow_out), loss) < 0.9 * loss_of(job, stored(job.out), loss)


def test_clip(job: Job) -> None:
    pixels, scenes = held_out(job, 1)
    vocabulary = words.build(job.work / "tokenizer")
    ids = denoiser.token_ids(vocabulary, denoiser.captions_of(scenes, key=(0, 0), drop=0.0))
    torch.manual_seed(0)
    fresh = clip.fresh(job.settings.clip, vocabulary)
    trained = CLIPModel.from_pretrained(job.evaluators / "clip", dtype=torch.float32)
    with torch.no_grad():
        before, after = (float(clip.matching_loss(model, pixels, ids)) for model in (fresh, trained))
    assert after < before - 0.5
    names = {file.name for file in (job.evaluators / "clip").iterdir()}
    assert {"preprocessor_config.json", "vocab.json", "merges.txt"} <= names


def test_the_instance_encoder(job: Job) -> None:
    scenes = [instance.view_of(named(name), stream("short", name, v)) for name in NAMED_SUBJECTS for v in range(4)]
    pixels = as_tensor(np.stack([np.asarray(draw(scene)) for scene in scenes]))
    who = np.arange(len(scenes)) // 4
    noun = np.array([scene.subject.noun for scene in scenes])
    same = np.triu(who[:, None] == who[None, :], 1)
    kin = np.triu((noun[:, None] == noun[None, :]) & (who[:, None] != who[None, :]), 1)

    def area(model: ViTModel) -> float:
        with torch.no_grad():
            features = instance.embedded(model, pixels)
        alike = (features @ features.T).numpy()
        return instance.area_under_curve(alike[same], alike[kin])

    torch.manual_seed(0)
    before = area(instance.fresh(job.settings.instance))
    trained = ViTModel.from_pretrained(job.evaluators / "instance", dtype=torch.float32, add_pooling_layer=False)
    assert area(trained) > before + 0.05


def test_the_oracle(job: Job) -> None:
    pixels, scenes = held_out(job, 1)
    answers = torch.tensor([oracle.truth(scene) for scene in scenes])
    with torch.no_grad():
        said = bundle.read_oracle(job.evaluators / "oracle")(pixels)
    for question, chances in (("noun", 1.5), ("place", 3)):
        column = list(oracle.QUESTIONS).index(question)
        right = (said[question].argmax(1) == answers[:, column]).float().mean()
        assert right > chances / len(oracle.QUESTIONS[question]), question


def test_training_goes_on_from_a_pipelines_weights(job: Job, tmp_path: Path) -> None:
    """At a rate of nothing, one step leaves exactly what was started from, once its text is standardised: that changes
    weights, and no prediction."""
    still = [
        f"{stage}.{what}" for stage in ("autoencoder", "denoiser") for what in ("matrix_lr=0", "other_lr=0", "steps=1")
    ]
    folders = [job.out]
    for name in ("once", "twice"):
        later = replace(
            job,
            settings=settings.read([*SHORT, *still]),
            work=tmp_path / f"work-{name}",
            out=tmp_path / name,
            continue_from=folders[-1],
        )
        for stage in ("autoencoder", "denoiser", "export"):
            STAGES[stage](later)
        folders.append(later.out)
    first, once, twice = folders
    for part in ("vae/diffusion_pytorch_model", "unet/diffusion_pytorch_model", "text_encoder/model"):
        begun = first if part.startswith("vae") else once
        one, other = (bundle.load_file(folder / f"{part}.safetensors") for folder in (begun, twice))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one), part


def test_a_text_encoder_that_goes_on_learning_keeps_its_tokens(job: Job, tmp_path: Path) -> None:
    """An older tokenizer than today's grammar gives: two words have each other's numbers."""
    older = tmp_path / "older"
    shutil.copytree(job.out, older)
    file = older / "tokenizer" / "tokenizer.json"
    held = json.loads(file.read_text())
    known = held["model"]["vocab"]
    known["dog</w>"], known["cat</w>"] = known["cat</w>"], known["dog</w>"]
    file.write_text(json.dumps(held))
    one_step = [f"denoiser.{what}" for what in ("matrix_lr=0", "other_lr=0", "steps=1")]
    later = replace(job, settings=settings.read([*SHORT, *one_step]), out=tmp_path / "again", continue_from=older)
    (later.work / "denoiser.pt").replace(tmp_path / "denoiser.pt")  # of the run from nothing
    try:
        for stage in ("denoiser", "export"):
            STAGES[stage](later)
    finally:
        (tmp_path / "denoiser.pt").replace(later.work / "denoiser.pt")
    words = CLIPTokenizer.from_pretrained(later.out / "tokenizer").get_vocab()
    assert words == CLIPTokenizer.from_pretrained(older / "tokenizer").get_vocab()
    assert words != CLIPTokenizer.from_pretrained(job.out / "tokenizer").get_vocab()


def test_clip_goes_on_from_an_evaluators_weights(job: Job, tmp_path: Path) -> None:
    """At a rate of nothing, one step leaves exactly what was started from."""
    still = ("clip.matrix_lr=0", "clip.other_lr=0", "clip.steps=1")
    again = tmp_path / "again"
    train_clip(
        replace(
            job,
            settings=settings.read([*SHORT, *still]),
            work=tmp_path,
            evaluators=again,
            continue_evaluators_from=job.evaluators,
        )
    )
    one, other = (bundle.load_file(folder / "clip" / "model.safetensors") for folder in (job.evaluators, again))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    for file in ("vocab.json", "merges.txt", "tokenizer.json"):
        assert (again / "clip" / file).read_text() == (job.evaluators / "clip" / file).read_text(), file


def test_a_killed_program_comes_to_the_same_point(tmp_path: Path) -> None:
    few = [*SHORT, "pictures=150", "autoencoder.steps=30", "checkpoint_every_s=0"]

    def start(work: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "imprint.miniature", "pretrain", "--stages", "autoencoder"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen([*command, "--work", str(work), "--set", *few], env=environment)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait(300) == 0
    running = start(killed)
    while not (killed / "autoencoder.pt").exists():
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait(60)
    half = checkpoint.load(killed / "autoencoder.pt")
    assert half is not None
    assert half["budget"]["step"] < 30
    assert start(killed).wait(300) == 0
    one, other = (checkpoint.load(work / "autoencoder.pt") for work in (whole, killed))
    assert one is not None
    assert other is not None
    assert all(torch.equal(one["average"][name], other["average"][name]) for name in one["average"])
