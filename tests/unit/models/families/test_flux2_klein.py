"""FLUX.2 klein: what its denoiser is told, how far its noise is shifted, and latents that are normalised."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from drawing import PROMPTS, ROUNDING, SEEDS, distance, draw, stock
from safetensors.torch import load_file
from tiny import RESOLUTION
from tiny_flux2_klein import DRAWING, TOKENS, tiny_flux2_klein_pipeline, tiny_flux2_klein_source
from tiny_flux2_parts import TEXT_LAYERS, WIDTH

from imprint.errors import UserError
from imprint.models.families.flux2_klein import Flux2Klein
from imprint.models.families.flux2_transformer import drawing_strength, picture_places, text_places
from imprint.models.process import Flow
from imprint.training.encoding import encode_captions
from imprint.types import Sampler

WORD = "<toy>"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tiny_folder: Callable[[str], Path]) -> Path:
    """Read only."""
    return tiny_folder("flux2_klein")


@pytest.fixture(scope="module")
def model(folder: Path) -> Flux2Klein:
    """Read only."""
    loaded = tiny_flux2_klein_source(folder).load()
    assert isinstance(loaded, Flux2Klein)
    return loaded


class TestConditioning:
    def test_texts_are_encoded_as_by_the_stock_pipeline(self, model: Flux2Klein, folder: Path) -> None:
        tokens, _ = stock(folder).encode_prompt(["", *PROMPTS], device="cpu", **DRAWING)
        assert tokens.shape == (3, TOKENS, len(TEXT_LAYERS) * WIDTH)
        torch.testing.assert_close(encode_captions(model, ["", *PROMPTS])["tokens"], tokens)

    def test_other_layers_are_another_conditioning_and_another_model(self, folder: Path) -> None:
        other = tiny_flux2_klein_source(folder, text_layers=[1, 2, 4])
        tokens, _ = stock(folder).encode_prompt(
            list(PROMPTS), device="cpu", max_sequence_length=TOKENS, text_encoder_out_layers=(1, 2, 4)
        )
        torch.testing.assert_close(encode_captions(other.load(), PROMPTS)["tokens"], tokens)
        assert other.facts().fingerprint != tiny_flux2_klein_source(folder).facts().fingerprint

    def test_places_are_those_of_the_stock_pipeline(self, folder: Path) -> None:
        pipeline = stock(folder)
        theirs = pipeline._prepare_latent_ids(torch.zeros(2, 16, 3, 5))
        assert torch.equal(picture_places(3, 5, CPU).long(), theirs[0])
        theirs = pipeline._prepare_text_ids(torch.zeros(2, 7, 4))
        assert torch.equal(text_places(7, CPU).long(), theirs[0])

    def test_a_negative_prompt_is_drawn_against(self, model: Flux2Klein, folder: Path) -> None:
        """The stock pipeline takes it as what was encoded of it."""
        pipeline = stock(folder)
        pipeline.set_progress_bar_config(disable=True)
        negative, _ = pipeline.encode_prompt("a cat", device="cpu", **DRAWING)
        size = {"height": RESOLUTION, "width": RESOLUTION, "num_inference_steps": 3, "guidance_scale": 3.0, **DRAWING}
        theirs = [
            pipeline(
                prompt=prompt,
                negative_prompt_embeds=negative,
                generator=torch.Generator().manual_seed(seed),
                **size,
            ).images[0]
            for prompt, seed in zip(PROMPTS, SEEDS, strict=True)
        ]
        assert distance(draw(model, Sampler("model", 3, 3.0, "a cat")), theirs) <= ROUNDING
        assert distance(draw(model, Sampler("model", 3, 3.0, "")), theirs) > ROUNDING

    def test_a_caption_is_cut_where_the_configuration_says(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = tiny_flux2_klein_source(folder, text_tokens=14).load()
        assert encode_captions(model, ["a dog"])["tokens"].shape == (1, 14, len(TEXT_LAYERS) * WIDTH)
        caption = "a photo of a small red dog on the beach"
        encode_captions(model, [caption])
        assert re.search(f"is cut to 14, without '.*the beach' at its end: '{caption}'", caplog.text)

    def test_no_caption_reaches_the_language_models_head(self, tmp_path: Path) -> None:
        model = tiny_flux2_klein_source(tiny_flux2_klein_pipeline(tmp_path, tied=False)).load()
        reached = {id(weight) for weight in model.roles["text"].parameters()}
        assert {name for name, weight in model.text_encoder.named_parameters() if id(weight) not in reached} == {
            "lm_head.weight"
        }


class TestNoise:
    @pytest.mark.parametrize("steps", [1, 4, 28, 50, 200])
    @pytest.mark.parametrize("tokens", [1024, 4096, 4300, 4301, 8192])
    def test_drawing_shifts_it_by_tokens_and_steps_as_the_stock_pipeline(self, tokens: int, steps: int) -> None:
        assert drawing_strength(tokens, steps) == pytest.approx(compute_empirical_mu(tokens, steps))

    def test_training_shifts_it_by_the_schedules_own_line(self, folder: Path) -> None:
        facts = tiny_flux2_klein_source(folder).facts()
        assert isinstance(facts.process, Flow)
        assert facts.process.shift is not None
        assert facts.process.shift.factor((128, 64, 64)) == pytest.approx(3.158, abs=1e-3)  # of 1024 pixels


class TestLatents:
    def test_they_are_normalised_as_by_the_stock_pipeline(self, model: Flux2Klein, folder: Path) -> None:
        pixels = torch.rand(2, 3, 48, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
        moments = model.encode(pixels)
        pipeline = stock(folder)
        torch.testing.assert_close(moments.mean_BCHW, pipeline._encode_vae_image(pixels, generator=None))
        assert tuple(moments.mean_BCHW.shape[1:]) == model.latent_shape(48, 32) == (16, 6, 4)
        distribution = pipeline.vae.encode(pixels).latent_dist
        sample = distribution.mean + distribution.std
        measured = pipeline.vae.bn(pipeline._patchify_latents(sample))  # in evaluation mode, by what it measured
        torch.testing.assert_close(moments.mean_BCHW + moments.std_BCHW, measured)

    def test_what_was_measured_never_changes(self, folder: Path) -> None:
        model = tiny_flux2_klein_source(folder).load()
        before = {name: value.clone() for name, value in model.vae.bn.state_dict().items()}
        model.train()
        model.decode(model.encode(torch.zeros(1, 3, RESOLUTION, RESOLUTION)).mean_BCHW)
        assert all(torch.equal(value, before[name]) for name, value in model.vae.bn.state_dict().items())

    def test_it_is_exported_in_half_precision(self, model: Flux2Klein, folder: Path, tmp_path: Path) -> None:
        model.formats["pipeline"].write(tmp_path / "half", torch.bfloat16)
        half = tiny_flux2_klein_source(tmp_path / "half").load()
        expected = stock(folder).vae.bn.running_var
        torch.testing.assert_close(half.vae.bn.running_var, expected, rtol=2**-8, atol=0)


class TestFacts:
    @pytest.mark.parametrize(
        ("layers", "why"),
        [
            ([1, 2, 5], "its text encoder has 4 layers"),
            ([1, 2], "these layers have 16 features each, its denoiser expects 48 in all"),
        ],
    )
    def test_layers_that_are_not_there_are_refused(self, layers: list[int], why: str, folder: Path) -> None:
        with pytest.raises(UserError, match=rf"model\.text_layers=.*{why}"):
            tiny_flux2_klein_source(folder, text_layers=layers).facts()

    def test_a_text_encoder_of_another_width_is_refused(self, folder: Path, tmp_path: Path) -> None:
        copy = shutil.copytree(folder, tmp_path / "model")
        config = copy / "text_encoder" / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text(encoding="utf-8")), "hidden_size": 20}))
        with pytest.raises(UserError, match="expects 48 text features, layers of text_encoder give 20 each"):
            tiny_flux2_klein_source(copy).facts()

    def test_a_tokenizer_without_a_chat_is_refused(self, folder: Path, tmp_path: Path) -> None:
        copy = shutil.copytree(folder, tmp_path / "model")
        (copy / "tokenizer" / "chat_template.jinja").unlink()
        with pytest.raises(UserError, match="the tokenizer in .* cannot be read") as told:
            tiny_flux2_klein_source(copy).facts()
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("tied", [True, False])
def test_a_learned_word_is_saved_and_read_by_the_stock_pipeline(tied: bool, tmp_path: Path) -> None:
    model = tiny_flux2_klein_source(tiny_flux2_klein_pipeline(tmp_path / "model", tied=tied)).load()
    start = torch.randn(1, WIDTH, generator=torch.Generator().manual_seed(1))
    model.learn_word(WORD, {"qwen3": start}, length=None)
    prompt = f"a photo of a {WORD} dog"
    told = encode_captions(model, [prompt])["tokens"]
    model.save_pipeline(tmp_path / "saved")
    tokens, _ = stock(tmp_path / "saved").encode_prompt(prompt, device="cpu", **DRAWING)
    torch.testing.assert_close(told, tokens)
    stored = load_file(tmp_path / "saved" / "text_encoder" / "model.safetensors")
    assert ("lm_head.weight" in stored) != tied


def test_layers_that_are_not_read_learn_nothing(folder: Path) -> None:
    """They have a gradient, for which several processes wait, and it is zero."""
    model = tiny_flux2_klein_source(folder).load()
    text = model.roles["text"].requires_grad_(True)
    encode_captions(model, PROMPTS)["tokens"].square().sum().backward()
    moved = {name for name, weight in text.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert all(weight.grad is not None for weight in text.parameters())
    assert {name.split(".")[1] for name in moved if name.startswith("layers.")} == {"0", "1", "2"}
