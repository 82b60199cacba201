"""Networks that are given more numbers a latent compute the same as before, and can learn to use the new ones."""

from __future__ import annotations

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from imprint.miniature.recipe import autoencoder, denoiser, settings, tokenizer
from imprint.miniature.recipe.widening import spread_new_numbers, widened_autoencoder, widened_denoiser

KNOWN, WIDE = 4, 7


@pytest.fixture(scope="module")
def small() -> settings.Settings:
    return settings.read(
        ["autoencoder.channels=[8,8,16,16]", f"autoencoder.latent_channels={KNOWN}", "denoiser.channels=[32,32]",
         "denoiser.heads=2", "text.hidden=32", "text.layers=1"]
    )  # fmt: skip


@pytest.fixture(scope="module")
def known(small: settings.Settings) -> AutoencoderKL:
    torch.manual_seed(0)
    return autoencoder.fresh(small.autoencoder)


@pytest.fixture
def wide(known: AutoencoderKL) -> AutoencoderKL:
    torch.manual_seed(1)
    return widened_autoencoder(known, WIDE)


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.rand(6, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_a_wider_autoencoder_encodes_and_decodes_as_before(
    known: AutoencoderKL, wide: AutoencoderKL, pixels: torch.Tensor
) -> None:
    with torch.no_grad():
        before, after = (own.encode(pixels).latent_dist for own in (known, wide))
        torch.testing.assert_close(after.mean[:, :KNOWN], before.mean)
        torch.testing.assert_close(after.logvar[:, :KNOWN], before.logvar)
        torch.testing.assert_close(wide.decode(after.mean).sample, known.decode(before.mean).sample)
    assert after.mean[:, KNOWN:].std((0, 2, 3)).min() > 0


def test_what_leads_to_the_new_numbers_learns(wide: AutoencoderKL, pixels: torch.Tensor) -> None:
    rate = 0.1
    for _ in range(2):  # in the first step the decoder begins to look at them
        wide.zero_grad()
        wide.decode(wide.encode(pixels).latent_dist.mean).sample.square().mean().backward()
        with torch.no_grad():
            wide.decoder.conv_in.weight -= rate * wide.decoder.conv_in.weight.grad
    assert wide.decoder.conv_in.weight.grad[:, KNOWN:].abs().max() > 0
    assert wide.encoder.conv_out.weight.grad[2 * KNOWN :].abs().max() > 0


def test_the_new_numbers_are_spread_and_the_pictures_stay(
    wide: AutoencoderKL, known: AutoencoderKL, pixels: torch.Tensor
) -> None:
    torch.nn.init.normal_(wide.decoder.conv_in.weight, std=0.1)  # as if it had learned to look at all of them
    with torch.no_grad():
        before = wide.encode(pixels).latent_dist
        picture = wide.decode(before.mean).sample
        spread_new_numbers(wide, pixels, known=KNOWN, spread=0.5)
        after = wide.encode(pixels).latent_dist
        torch.testing.assert_close(wide.decode(after.mean).sample, picture, rtol=1e-3, atol=1e-4)
    new = after.mean[:, KNOWN:] * wide.config.scaling_factor
    torch.testing.assert_close(after.mean[:, :KNOWN], before.mean[:, :KNOWN])
    torch.testing.assert_close(new.std((0, 2, 3)), torch.full((WIDE - KNOWN,), 0.5), rtol=1e-3, atol=0)
    assert new.mean((0, 2, 3)).abs().max() < 1e-3
    ratio = after.std / after.mean.std((0, 2, 3), keepdim=True)
    torch.testing.assert_close(ratio, before.std / before.mean.std((0, 2, 3), keepdim=True), rtol=1e-3, atol=0)


def test_a_wider_denoiser_predicts_as_before(
    small: settings.Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    words = tokenizer.build(tmp_path_factory.mktemp("tokenizer"))
    known: UNet2DConditionModel = denoiser.fresh(
        small.text, small.denoiser, words, latent_channels=KNOWN, latent_size=8
    ).unet
    wide = widened_denoiser(known, WIDE)
    latents, t, text = torch.randn(2, WIDE, 8, 8), torch.tensor([5, 900]), torch.randn(2, 3, 32)
    with torch.no_grad():
        after = wide(latents, t, text).sample
        torch.testing.assert_close(after[:, :KNOWN], known(latents[:, :KNOWN], t, text).sample)
    assert after[:, KNOWN:].abs().max() == 0
