"""The miniature of the flow kind: its text is standardised without a change; its loss is that of a straight line."""

from __future__ import annotations

import copy

import pytest
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor
from transformers import CLIPTokenizer

from imprint.miniature.recipe import denoiser, flow, settings, standard_text
from imprint.miniature.recipe.stages.job import FLOW_WEIGHTS, WEIGHTS
from imprint.miniature.sampling import pretraining_scene
from imprint.models.process import Flow
from imprint.models.schedulers import checked_process


@pytest.fixture(scope="module")
def words() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(WEIGHTS / "tokenizer")


@pytest.fixture(scope="module")
def generator() -> denoiser.Generator:
    """Read only."""
    pipeline = StableDiffusionPipeline.from_pretrained(str(WEIGHTS), torch_dtype=torch.float32)
    return denoiser.Generator(pipeline.text_encoder, pipeline.unet)


def captions(count: int) -> list[str]:
    return denoiser.captions_of([pretraining_scene(0, i) for i in range(count)], key=(0, 0), drop=0.1)


def spread(generator: denoiser.Generator, ids: Tensor) -> tuple[float, float]:
    """Of the text encoder's output: the largest mean of a number, and its median spread."""
    with torch.no_grad():
        output = generator.text_encoder(ids).last_hidden_state.flatten(0, 1)
    return float(output.mean(0).abs().max()), float(output.std(0).median())


def noise_of(generator: denoiser.Generator) -> Tensor:
    return torch.randn(4, generator.unet.config.in_channels, 8, 8)


def test_standardising_the_text_changes_no_prediction(generator: denoiser.Generator, words: CLIPTokenizer) -> None:
    crowded, texts = copy.deepcopy(generator), captions(256)
    with torch.no_grad():  # nearly the same numbers for every token, as training from nothing leaves it
        norm = crowded.text_encoder.get_submodule("final_layer_norm")
        norm.weight.mul_(0.2)
        norm.bias.add_(1.5)
    changed = copy.deepcopy(crowded)
    ids = denoiser.token_ids(words, texts)
    standard_text.standardise(changed, words, texts)
    mean, typical = spread(changed, ids)
    assert mean < 1e-3
    assert typical == pytest.approx(1, abs=1e-3)
    assert spread(crowded, ids)[1] < 0.5  # which it was not before
    noisy, t = noise_of(generator), torch.tensor([1, 300, 700, 999])
    with torch.no_grad():
        before, after = (
            own.unet(noisy, t, own.text_encoder(ids[:4]).last_hidden_state).sample for own in (crowded, changed)
        )
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4)


def test_the_shares_of_noise_are_spread_over_the_batch() -> None:
    own = settings.read([]).flow
    shares = torch.cat([flow.shares_of_noise(64, own) for _ in range(50)])
    assert shares.min() > 0
    assert shares.max() <= 1
    assert 0.5 < shares.median() < 0.6  # more noise than none, by the logit's mean
    few = [flow.shares_of_noise(64, own).mean() for _ in range(50)]
    assert torch.stack(few).std() < 0.02  # drawn at random it would be .03


def test_the_loss_is_that_of_a_straight_line(generator: denoiser.Generator, words: CLIPTokenizer) -> None:
    own = settings.read([]).flow
    ids, latents = denoiser.token_ids(words, captions(4)), noise_of(generator)
    torch.manual_seed(7)
    with torch.no_grad():
        loss = flow.flow_loss(own, generator, latents, ids)
        torch.manual_seed(7)
        s, noise = flow.shares_of_noise(4, own), torch.randn(latents.shape)
        mixed = torch.stack([x + share * (e - x) for x, share, e in zip(latents, s, noise, strict=True)])
        velocity = generator.unet(mixed, 1000 * s, generator.text_encoder(ids).last_hidden_state).sample
    assert float(loss) == pytest.approx(float((velocity - noise + latents).square().mean()), rel=0.02)  # in bfloat16


def test_the_shipped_one_is_a_flow_to_imprint_and_draws_with_the_stock_pipeline() -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(str(FLOW_WEIGHTS), torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    process = checked_process(
        dict(pipeline.scheduler.config, _class_name=type(pipeline.scheduler).__name__), "model", "flow", patch=1
    )
    assert isinstance(process, Flow)
    noise = torch.Generator().manual_seed(0)
    picture = pipeline("a sks dog on the beach", num_inference_steps=8, generator=noise, output_type="np").images[0]
    sky, sand = picture[:12].mean((0, 1)), picture[-8:].mean((0, 1))
    assert sky[2] > sky[0]
    assert sand[0] > sand[2]
