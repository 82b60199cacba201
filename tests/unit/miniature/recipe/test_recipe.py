"""The recipe learns, resumes where it was killed, and writes what stock diffusers loads."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from imprint.miniature.recipe import autoencoder, checkpoint, denoiser, flow, settings, tokenizer
from imprint.miniature.recipe.budget import Budget
from imprint.miniature.recipe.latents import Latents
from imprint.miniature.recipe.muon import orthogonalised
from imprint.miniature.recipe.pictures import as_tensor, rendered
from imprint.miniature.recipe.stages.generator import export, train_autoencoder, train_decoder, train_denoiser
from imprint.miniature.recipe.stages.job import Job
from imprint.miniature.sampling import pretraining_scene

TINY = (
    "pictures=48", "validation_pictures=16", "checkpoint_every_s=1000",
    "autoencoder.channels=[8,8,16,16]", "autoencoder.latent_channels=4", "autoencoder.batch=8",
    "autoencoder.steps=24", "autoencoder.warmup=2",
    "decoder.batch=8", "decoder.steps=4", "decoder.warmup=1", "decoder.ema=0.5",
    "text.hidden=32", "text.layers=1",
    "denoiser.channels=[32,32]", "denoiser.heads=2", "denoiser.batch=8", "denoiser.steps=16", "denoiser.warmup=2",
)  # fmt: skip


def job(work: Path, *overrides: str) -> Job:
    return Job(
        settings=settings.read([*TINY, *overrides]),
        work=work,
        minutes=None,
        continue_from=None,
        continue_evaluators_from=None,
        out=work / "pipeline",
        flow_out=work / "flow",
        upscaler_out=work / "upscaler",
        evaluators=work / "evaluators",
        device=torch.device("cpu"),
    )


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(Exception, match="stepz"):
        settings.read(["autoencoder.stepz=3"])


def test_rendered_pictures_are_cached_and_true(tmp_path: Path) -> None:
    first = np.array(rendered(tmp_path, seed=0, count=4))
    (cached,) = tmp_path.glob("*.npy")
    modified = cached.stat().st_mtime_ns
    assert np.array_equal(rendered(tmp_path, seed=0, count=4), first)
    assert cached.stat().st_mtime_ns == modified
    assert as_tensor(first).shape == (4, 3, 64, 64)


def test_the_autoencoder_learns(tmp_path: Path) -> None:
    small = job(tmp_path)
    pictures = rendered(tmp_path, seed=0, count=48)
    held_out = as_tensor(pictures[-16:])
    torch.manual_seed(0)
    before = autoencoder.psnr(autoencoder.fresh(small.settings.autoencoder), held_out)
    train_autoencoder(small)
    after = AutoencoderKL.from_pretrained(tmp_path / "vae")
    assert autoencoder.psnr(after, held_out) > before + 1


def test_a_decoder_that_goes_on_alone_leaves_latents_as_they_are(tmp_path: Path) -> None:
    small = job(tmp_path, "autoencoder.steps=2", "checkpoint_every_s=0")
    train_autoencoder(small)
    pixels = as_tensor(rendered(tmp_path, seed=0, count=48)[-16:])

    def latents_and_pictures() -> tuple[torch.Tensor, torch.Tensor]:
        vae = AutoencoderKL.from_pretrained(tmp_path / "vae")
        with torch.no_grad():
            latents = vae.encode(pixels).latent_dist.mean
            return latents, vae.decode(latents).sample

    before, drawn_before = latents_and_pictures()
    train_decoder(small)
    after, drawn_after = latents_and_pictures()
    assert torch.equal(before, after)
    assert not torch.equal(drawn_before, drawn_after)


@pytest.mark.parametrize("kind", ["denoiser", "flow"])
def test_a_killed_denoiser_goes_on_as_if_nothing_had_happened(kind: str, tmp_path: Path) -> None:
    words = tokenizer.build(tmp_path / "tokenizer")
    scenes = [pretraining_scene(0, i) for i in range(48)]
    latents = Latents(np.random.default_rng(0).normal(size=(48, 2, 4, 8, 8)).astype(np.float16), held_out=16)

    def run(work: Path, *steps: int) -> dict[str, torch.Tensor]:
        for stop in steps:
            part = job(work, f"{kind}.steps={stop}", f"{kind}.hold=1.0", "flow.batch=8", "flow.warmup=2")
            s = part.settings
            own, loss = getattr(s, kind), partial(flow.flow_loss, s.flow)
            if kind == "denoiser":
                loss = partial(denoiser.denoising_loss, s.denoiser, denoiser.noise_schedule().alphas_cumprod)
            torch.manual_seed(0)
            generator = denoiser.fresh(s.text, s.denoiser, words, latent_channels=4, latent_size=8)
            denoiser.train(generator, own, latents, scenes, words, course=part.course(kind, own), loss=loss)
        state = checkpoint.load(work / f"{kind}.pt")
        assert state is not None
        return state["average"]

    whole, resumed = run(tmp_path / "whole", 6), run(tmp_path / "resumed", 3, 6)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.slow
def test_the_denoiser_learns_and_stock_diffusers_loads_the_result(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    small = job(tmp_path, "denoiser.steps=40", "denoiser.batch=16", "denoiser.ema=0.8", "checkpoint_every_s=0.5")
    for stage in (train_autoencoder, train_denoiser, export):
        stage(small)
    losses = [
        float(line.split("held out ")[1].split(",")[0])
        for line in capsys.readouterr().out.splitlines()
        if "held out" in line
    ]
    assert losses[-1] < 0.9 * losses[0]
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "pipeline", torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("a sks dog in the jungle", num_inference_steps=2, output_type="np").images[0]
    assert picture.shape == (64, 64, 3)
    assert np.isfinite(picture).all()
    assert pipeline.vae.config.scaling_factor != 0.18215
    written = "".join(file.read_text() for file in (tmp_path / "pipeline").rglob("*.json"))
    assert str(tmp_path) not in written


def test_an_interrupted_save_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "stage.pt"
    checkpoint.save(path, {"step": torch.tensor(1)})
    with pytest.raises(OSError, match="the disk is full"):
        checkpoint.save(path, {"step": _Last()})
    state = checkpoint.load(path)
    assert state is not None
    assert state["step"] == 1


class _Last:
    """While it is written, the disk runs full."""

    def __reduce__(self) -> str:
        raise OSError("the disk is full")


def test_the_rate_warms_up_holds_and_falls_to_zero() -> None:
    budget = Budget(steps=100, minutes=None, warmup=10, hold=0.5)
    rates = []
    for budget.step in range(101):
        rates.append(budget.rate)
    assert rates[0] < rates[5] < rates[20] == rates[49] == 1
    assert rates[60] > rates[80] > rates[100] == pytest.approx(0)


def test_latents_have_unit_variance() -> None:
    moments = np.zeros((500, 2, 4, 8, 8), dtype=np.float16)
    moments[:, 0] = np.random.default_rng(0).normal(size=(500, 4, 8, 8)) * 3
    sample = Latents(moments, held_out=0).sample(np.arange(500))
    assert sample.std() == pytest.approx(1, abs=0.02)


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    torch.manual_seed(0)
    for shape in ((24, 60), (60, 24)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.min() > 0.5
        assert values.max() < 1.4


@pytest.mark.parametrize("uniform_share", [0.0, 0.4, 1.0])
def test_timesteps_cover_the_schedule(uniform_share: float) -> None:
    torch.manual_seed(0)
    t = denoiser.timesteps(4000, 1000, uniform_share=uniform_share)
    assert len(t) == 4000
    assert t.min() < 50
    assert 950 < t.max() <= 999
    middle = ((t > 200) & (t < 650)).float().mean()
    assert middle == pytest.approx(uniform_share * 0.45 + (1 - uniform_share) * 0.68, abs=0.03)
