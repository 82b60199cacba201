"""The algebra of noise, held against its invariants."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from imprint.models.process import Diffusion, Prediction, alphas_from_betas

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def make(prediction: Prediction, **changes: object) -> Diffusion:
    return Diffusion(alphas_from_betas(DDIMScheduler(**SD, **changes).betas), prediction)


@pytest.fixture
def sample() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(6, 4, 3, 3, generator=generator)
    noise = torch.randn(6, 4, 3, 3, generator=generator)
    return latents, noise, torch.tensor([0, 1, 100, 500, 900, 998])


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_perfect_prediction_recovers_latents_and_noise(prediction: Prediction, sample: tuple) -> None:
    latents, noise, t = sample
    schedule = make(prediction)
    noisy = schedule.add_noise(latents, noise, t)
    recovered, recovered_noise = schedule.recover(schedule.target(latents, noise, t), noisy, t)
    assert torch.allclose(recovered, latents, atol=2e-4)
    assert torch.allclose(recovered_noise, noise, atol=2e-4)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_noising_and_targets_are_those_of_the_library(prediction: Prediction, sample: tuple) -> None:
    latents, noise, t = sample
    schedule, theirs = make(prediction), DDPMScheduler(**SD, prediction_type=prediction)
    assert torch.allclose(schedule.add_noise(latents, noise, t), theirs.add_noise(latents, noise, t), atol=1e-5)
    target = noise if prediction == "epsilon" else theirs.get_velocity(latents, noise, t)
    assert torch.allclose(schedule.target(latents, noise, t), target, atol=1e-5)


def test_noising_keeps_the_variance() -> None:
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 64, 4, 16, 16, generator=generator).unbind()
    noisy = make("epsilon").add_noise(latents, noise, torch.arange(0, 1000, 16)[:64].clamp(max=999).repeat(2)[:64])
    assert abs(float(noisy.var()) - 1) < 0.02


def test_snr_falls_and_is_signal_over_noise() -> None:
    schedule = make("epsilon")
    snr = schedule.snr(torch.arange(1000))
    assert (snr.diff() < 0).all()
    signal, spread = schedule.alphas_T.sqrt(), (1 - schedule.alphas_T).sqrt()
    assert torch.allclose(snr, (signal / spread) ** 2, rtol=1e-4)


def test_zero_terminal_snr_is_seen() -> None:
    assert not make("v_prediction").has_zero_terminal_snr
    rescaled = make("v_prediction", rescale_betas_zero_snr=True)
    assert rescaled.has_zero_terminal_snr
    last = torch.tensor([999])
    noise, latents = torch.randn(2, 1, 4, 2, 2).unbind()
    assert torch.equal(rescaled.add_noise(latents, noise, last), noise)
    assert torch.equal(rescaled.target(latents, noise, last), -latents)


def test_the_table_stays_exact_when_weights_are_cast() -> None:
    schedule = make("epsilon")
    assert "alphas_T" not in schedule.state_dict()
    assert schedule.alphas_T.dtype == torch.float32
