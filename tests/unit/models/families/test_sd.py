"""The parts of Stable Diffusion as training uses them."""

import copy
import logging
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from tiny import RESOLUTION, TOKENS, tiny_pipeline, tiny_source

from imprint.models.families.sd import StableDiffusion
from imprint.training.encoding import encode_captions

PICTURES_BCHW = torch.rand(2, 3, RESOLUTION, RESOLUTION, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def model(tiny_sd: Path) -> StableDiffusion:
    return tiny_source(tiny_sd).load()


def predict(model: StableDiffusion) -> torch.Tensor:
    noisy_BCHW = torch.ones(2, *model.latent_shape(RESOLUTION, RESOLUTION))
    return model.denoise(noisy_BCHW, torch.tensor([10, 900]), encode_captions(model, ["a dog", "a cat"]))


def test_moments_are_the_scaled_gaussian_of_the_autoencoder(model: StableDiffusion) -> None:
    moments = model.encode(PICTURES_BCHW)
    gaussian = model.vae.encode(PICTURES_BCHW).latent_dist
    assert moments.mean_BCHW.shape == (2, *model.latent_shape(RESOLUTION, RESOLUTION))
    torch.testing.assert_close(moments.mean_BCHW, gaussian.mean * 0.18215)
    torch.testing.assert_close(moments.std_BCHW, gaussian.std * 0.18215)


def test_decoding_undoes_the_scale(model: StableDiffusion) -> None:
    latents_BCHW = model.encode(PICTURES_BCHW).mean_BCHW
    expected = model.vae.decode(latents_BCHW / 0.18215).sample.clamp(-1, 1)
    torch.testing.assert_close(model.decode(latents_BCHW), expected)


def test_latents_of_oblong_pictures(model: StableDiffusion) -> None:
    assert model.latent_shape(32, 64) == (4, 8, 16)
    assert model.encode(torch.zeros(1, 3, 32, 64)).mean_BCHW.shape[1:] == (4, 8, 16)


def test_conditioning_is_padded_to_the_full_length(model: StableDiffusion) -> None:
    assert encode_captions(model, ["a dog", "a photo of a red vase on the beach"])["tokens"].shape == (
        2,
        TOKENS,
        16,
    )


def test_conditioning_does_not_depend_on_the_batch(model: StableDiffusion) -> None:
    both = encode_captions(model, ["a dog", "a cat"])["tokens"]
    torch.testing.assert_close(both[1:], encode_captions(model, ["a cat"])["tokens"])


def test_a_long_caption_is_cut_and_named_once(model: StableDiffusion, caplog: pytest.LogCaptureFixture) -> None:
    long = "dog " * TOKENS
    with caplog.at_level(logging.WARNING):
        first = encode_captions(model, [long, "a cat"])["tokens"]
        encode_captions(model, [long])
    assert [long in record.getMessage() for record in caplog.records] == [True]
    torch.testing.assert_close(first[:1], encode_captions(model, [long + "cat"])["tokens"])


def test_the_padding_mask_is_used_where_the_model_says_so(tiny_sd: Path) -> None:
    plain, masked = tiny_source(tiny_sd).load(), tiny_source(tiny_sd).load()
    masked.text_encoder.config.use_attention_mask = True
    a, b = (encode_captions(model, ["a dog"])["tokens"] for model in (plain, masked))
    assert not torch.allclose(a, b)


def test_words_of_several_learned_vectors_stand_for_as_many_tokens(model: StableDiffusion) -> None:
    model.vocabularies["clip_l"].tokenizer.add_tokens(["<toy>", "<toy>_1"])
    model.text_encoder.resize_token_embeddings(len(model.vocabularies["clip_l"].tokenizer))
    both = (
        model.vocabularies["clip_l"].tokenizer("a <toy> <toy>_1", padding="max_length", return_tensors="pt").input_ids
    )
    torch.testing.assert_close(encode_captions(model, ["a <toy>"])["tokens"], model.text_encoder(both)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("autocast", [False, True])
def test_predictions_are_float32_in_any_precision(dtype: torch.dtype, autocast: bool, model: StableDiffusion) -> None:
    expected = predict(model)
    model.unet.to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        prediction = predict(model)
    assert prediction.dtype == torch.float32
    torch.testing.assert_close(prediction, expected, atol=0.1, rtol=0.1)


def test_the_autoencoder_may_be_of_lower_precision(model: StableDiffusion) -> None:
    model.vae.to(torch.bfloat16)
    moments = model.encode(PICTURES_BCHW)
    assert moments.mean_BCHW.dtype == moments.std_BCHW.dtype == torch.float32
    assert model.decode(moments.mean_BCHW).dtype == torch.float32


def test_a_frozen_denoiser_stays_as_it_was_whatever_is_put_around_its_layers(model: StableDiffusion) -> None:
    before, frozen = predict(model), model.frozen_denoiser()
    inject_adapter_in_model(LoraConfig(r=2, target_modules=["to_q"], init_lora_weights=False), model.unet)
    conditioning = encode_captions(model, ["a dog", "a cat"])
    noisy_BCHW = torch.ones(2, *model.latent_shape(RESOLUTION, RESOLUTION))
    timesteps = torch.tensor([10, 900])
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    torch.testing.assert_close(model.denoise_with(frozen, noisy_BCHW, timesteps, conditioning), before)
    assert not torch.allclose(predict(model), before)


@pytest.mark.parametrize("role", ["denoiser", "text"])
def test_checkpointing_leaves_gradients_as_they_are(role: str, model: StableDiffusion) -> None:
    model.roles[role].requires_grad_(True).train()
    other = copy.deepcopy(model)
    other.enable_gradient_checkpointing()
    for each in (model, other):
        predict(each).square().sum().backward()
    pairs = zip(model.roles[role].parameters(), other.roles[role].parameters(), strict=True)
    gradients = [(a.grad, b.grad) for a, b in pairs if a.grad is not None]
    assert gradients
    for a, b in gradients:
        torch.testing.assert_close(a, b)


def test_checkpointing_is_for_parts_that_learn(model: StableDiffusion) -> None:
    model.unet.requires_grad_(True)
    model.enable_gradient_checkpointing()
    flags = {
        role: any(getattr(m, "gradient_checkpointing", False) for m in part.modules())
        for role, part in model.roles.items()
    }
    assert flags == {"denoiser": True, "text": False}


def test_a_stand_in_for_the_denoiser_is_used(model: StableDiffusion) -> None:
    before = predict(model)
    model.roles["denoiser"] = torch.compile(model.unet, backend="eager")
    torch.testing.assert_close(predict(model), before)
    assert next(iter(model.state_dict())).startswith("unet.conv_in")


def test_the_schedule_is_the_checkpoints(tmp_path: Path) -> None:
    process = tiny_source(tiny_pipeline(tmp_path, prediction="v_prediction", zero_snr=True)).load().process
    assert process.alphas_T[-1] == 0
    assert process.prediction == "v_prediction"
