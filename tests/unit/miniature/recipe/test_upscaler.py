"""The upscaler's recipe learns, resumes, and writes what the stock pipeline draws the same pictures with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionUpscalePipeline
from torch import Tensor

from imprint.miniature.recipe import autoencoder, checkpoint, settings, upscaler
from imprint.miniature.recipe.pictures import as_tensor, bicubic, corners, cut, rendered, shrunk
from imprint.miniature.recipe.stages import STAGES
from imprint.miniature.recipe.stages.job import FLOW_WEIGHTS, WEIGHTS, Job
from imprint.miniature.recipe.stages.upscaler import caption_reader, fresh_denoiser, large_examples
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import pretraining_scene

PICTURES = 24
TINY = (
    f"upscaler.pictures={PICTURES}", "upscaler.validation_pictures=8", "checkpoint_every_s=1000",
    "upscaler_autoencoder.channels=[8,16]", "upscaler_autoencoder.crop=32", "upscaler_autoencoder.batch=8",
    "upscaler_autoencoder.steps=30", "upscaler_autoencoder.warmup=2", "upscaler_autoencoder.ema=0.9",
    "upscaler.channels=[32,32]", "upscaler.heads=2", "upscaler.crop=16", "upscaler.batch=8", "upscaler.steps=60",
    "upscaler.matrix_lr=0.01",
    "upscaler.warmup=2", "upscaler.hold=1.0", "upscaler.ema=0.9",
)  # fmt: skip


def job(work: Path, *overrides: str) -> Job:
    return Job(
        settings=settings.read([*TINY, *overrides]),
        work=work,
        minutes=None,
        continue_from=None,
        continue_evaluators_from=None,
        out=WEIGHTS,
        flow_out=FLOW_WEIGHTS,
        upscaler_out=work / "upscaler_weights",
        evaluators=work / "evaluators",
        device=torch.device("cpu"),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The stages have been run, in short."""
    done = job(tmp_path_factory.mktemp("upscaler"))
    for stage in ("upscaler_autoencoder", "upscaler", "export_upscaler"):
        STAGES[stage](done)
    return done


@pytest.fixture(scope="module")
def truth(made: Job) -> Tensor:
    return as_tensor(rendered(made.work, seed=0, count=PICTURES, size=128)[-8:])


@pytest.fixture
def pipeline(made: Job) -> StableDiffusionUpscalePipeline:
    stock = StableDiffusionUpscalePipeline.from_pretrained(str(made.upscaler_out), torch_dtype=torch.float32)
    stock.set_progress_bar_config(disable=True)
    return stock


def test_its_pictures_are_the_scenes_of_pretraining_drawn_large(truth: Tensor) -> None:
    large = draw(pretraining_scene(0, PICTURES - 1), 128)
    assert torch.equal(truth[-1], as_tensor(np.asarray(large)[None])[0])


def test_the_autoencoder_learns(made: Job, truth: Tensor) -> None:
    torch.manual_seed(made.settings.seed)
    untrained = autoencoder.fresh(made.settings.upscaler_autoencoder, 128)
    trained = AutoencoderKL.from_pretrained(made.work / "upscaler" / "vae")
    assert autoencoder.psnr(trained, truth) > autoencoder.psnr(untrained, truth) + 3


def test_a_latent_comes_to_say_what_it_is_to_say(made: Job, truth: Tensor) -> None:
    torch.manual_seed(made.settings.seed)
    networks = [autoencoder.fresh(made.settings.upscaler_autoencoder, 128) for _ in range(2)]
    state = checkpoint.load(made.work / "upscaler_autoencoder.pt")
    assert state is not None
    networks[1].load_state_dict(state["average"])
    with torch.no_grad():
        errors = [
            (network.encode(truth).latent_dist.mean - upscaler.written(truth)).square().mean() for network in networks
        ]
    assert errors[1] < 0.5 * errors[0]


def test_a_latent_has_the_small_picture_and_what_lies_across_an_edge() -> None:
    large = torch.tensor([[[[0.6, 0.2], [0.4, -0.2]]]]).expand(1, 3, 2, 2)
    low, detail = upscaler.written(large).split([3, 1], dim=1)
    torch.testing.assert_close(low, torch.full((1, 3, 1, 1), 0.25))
    torch.testing.assert_close(detail, torch.full((1, 1, 1, 1), upscaler.DETAIL * 0.8))


def test_latents_are_standardised_and_what_is_decoded_stays(made: Job, truth: Tensor) -> None:
    state = checkpoint.load(made.work / "upscaler_autoencoder.pt")
    assert state is not None
    before = autoencoder.fresh(made.settings.upscaler_autoencoder, 128)
    before.load_state_dict(state["average"])
    after = AutoencoderKL.from_pretrained(made.work / "upscaler" / "vae")
    assert after.config.scaling_factor == upscaler.SCALING
    with torch.no_grad():
        seen = as_tensor(rendered(made.work, seed=0, count=PICTURES, size=128))
        latents = after.encode(seen).latent_dist.sample(torch.Generator().manual_seed(0)) * upscaler.SCALING
        torch.testing.assert_close(latents[:, :3].mean((0, 2, 3)), torch.zeros(3), atol=0.02, rtol=0)
        torch.testing.assert_close(latents.square().mean((0, 2, 3)), torch.ones(4), atol=0.03, rtol=0)
        for sample in (False, True):
            pictures = []
            for network in (before, after):
                posterior = network.encode(truth).latent_dist
                drawn = posterior.sample(torch.Generator().manual_seed(0)) if sample else posterior.mode()
                pictures.append(network.decode(drawn).sample)
            torch.testing.assert_close(*pictures, atol=2e-4, rtol=0)


def test_the_denoiser_learns_and_tells_levels_of_noise_apart(made: Job, truth: Tensor) -> None:
    own = AutoencoderKL.from_pretrained(made.work / "upscaler" / "vae")
    reader = caption_reader(made)
    words = reader.words([""] * len(truth))
    untrained = fresh_denoiser(made, own, reader)
    trained = fresh_denoiser(made, own, reader)
    state = checkpoint.load(made.work / "upscaler.pt")
    assert state is not None
    trained.load_state_dict(state["average"])
    with torch.no_grad():
        latents = own.encode(truth).latent_dist.mean * upscaler.SCALING
    losses = []
    for network in (untrained, trained):
        torch.manual_seed(1)
        with torch.no_grad():
            losses.append(upscaler.loss_of(made.settings.upscaler, network, latents, shrunk(truth, 2), words).item())
    assert losses[1] < 0.9 * losses[0]
    low, high = (
        upscaler.enlarged(trained, own, shrunk(truth, 2), words, steps=2, level=level, seed=0) for level in (0, 300)
    )
    assert (low - high).abs().mean() > 0.01


def test_an_untrained_denoiser_begins_with_the_small_picture(made: Job) -> None:
    torch.manual_seed(0)
    low = shrunk(as_tensor(rendered(made.work, seed=0, count=PICTURES, size=128)), 2)
    unet = upscaler.fresh(settings.read([]).upscaler, latent_channels=4, words=16)
    upscaler.hand_through(unet, low)
    noise, words = torch.randn(PICTURES, 4, 64, 64), torch.randn(PICTURES, 3, 16)
    with torch.no_grad():
        velocity = unet(torch.cat([noise, low], 1), 999, words, class_labels=torch.zeros(PICTURES)).sample
    guess = (low - low.mean((0, 2, 3), keepdim=True)) / low.std((0, 2, 3), keepdim=True)
    assert (velocity[:, :3] + guess).square().mean() < 0.01  # at the noisiest time, minus the picture
    assert not velocity[:, 3].any()


def test_what_it_does_at_each_level_becomes_a_table(made: Job) -> None:
    torch.manual_seed(0)
    learned = upscaler.fresh(made.settings.upscaler, latent_channels=4, words=16)
    tabled = upscaler.with_table_of_levels(learned)
    assert tabled.config.num_class_embeds == 1000
    given = torch.randn(3, 7, 16, 16), torch.tensor([5, 500, 999]), torch.randn(3, 4, 16)
    with torch.no_grad():
        a, b = (network(*given, class_labels=torch.tensor([0, 20, 350])).sample for network in (learned, tabled))
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("level", [0, 100])
def test_the_stock_pipeline_draws_the_same_picture(
    pipeline: StableDiffusionUpscalePipeline, truth: Tensor, level: int
) -> None:
    low, caption = shrunk(truth[:1], 2), "a dog on the beach"
    stock = pipeline(
        caption, (low + 1) / 2, num_inference_steps=3, guidance_scale=1.0, noise_level=level,
        generator=torch.Generator().manual_seed(7), output_type="pt",
    ).images  # fmt: skip
    words = upscaler.Reader(pipeline.text_encoder, pipeline.tokenizer).words([caption])
    ours = upscaler.enlarged(pipeline.unet, pipeline.vae, low, words, steps=3, level=level, seed=7)
    assert stock.shape == (1, 3, 128, 128)
    assert (ours - (2 * stock - 1)).abs().max() < 1e-3


def test_a_killed_upscaler_goes_on_as_if_nothing_had_happened(made: Job, tmp_path: Path) -> None:
    def run(work: Path, *steps: int) -> dict[str, Tensor]:
        for stop in steps:
            part = job(made.work, f"upscaler.steps={stop}")
            own, reader = AutoencoderKL.from_pretrained(made.work / "upscaler" / "vae"), caption_reader(part)
            examples = large_examples(part, own)
            course = replace(part.course("upscaler", part.settings.upscaler), work=work)
            unet = fresh_denoiser(part, own, reader)
            upscaler.train(unet, part.settings.upscaler, own, examples, reader, course=course)
        state = checkpoint.load(work / "upscaler.pt")
        assert state is not None
        average: dict[str, Tensor] = state["average"]
        return average

    at_once, resumed = run(tmp_path / "a", 5), run(tmp_path / "b", 2, 5)
    assert all(torch.equal(resumed[name], value) for name, value in at_once.items())


def test_low_pictures_are_means_in_as_many_levels_as_a_file_has() -> None:
    large = as_tensor(np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.uint8))
    low = shrunk(large, 2)
    assert low.shape == (2, 3, 4, 4)
    mean = large.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    assert (low - mean).abs().max() <= 0.5 / 127.5 + 1e-6
    levels = (low + 1) * 127.5
    torch.testing.assert_close(levels, levels.round(), atol=1e-4, rtol=0)
    assert bicubic(low, 2).shape == large.shape


def test_squares_are_cut_from_where_they_are_said_to_lie() -> None:
    pictures = torch.arange(2 * 1 * 6 * 6).view(2, 1, 6, 6)
    at = np.array([[0, 2], [3, 1]])
    assert torch.equal(cut(pictures, at, 3)[1], pictures[1, :, 3:6, 1:4])
    assert corners(np.random.default_rng(0), 6, 3, 200).max() == 3
    assert not corners(np.random.default_rng(0), 6, 6, 5).any()


def test_the_files_are_those_of_the_layout(made: Job, pipeline: StableDiffusionUpscalePipeline) -> None:
    assert {part.name for part in made.upscaler_out.iterdir()} == {
        "model_index.json", "low_res_scheduler", "scheduler", "text_encoder", "tokenizer", "unet", "vae",
    }  # fmt: skip
    assert pipeline.config.max_noise_level == upscaler.LEVELS
    assert pipeline.vae.config.scaling_factor == upscaler.SCALING
