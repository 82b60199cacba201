"""FLUX.1: what it tells its denoiser, its two senses of guidance, and files that go round through the stock library."""

from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline
from drawing import PROMPTS, stock
from tiny_flux import WIDTHS, tiny_flux_source
from tiny_parts import T5_TOKENS

from imprint.models.families.flux import Flux
from imprint.models.families.packing import packed, unpacked
from imprint.models.process import Flow
from imprint.training.encoding import encode_captions

WORD = "<toy>"


@pytest.fixture(scope="module")
def model(tiny_flux: Path) -> Flux:
    """Read only."""
    loaded = tiny_flux_source(tiny_flux).load()
    assert isinstance(loaded, Flux)
    return loaded


class TestConditioning:
    def test_texts_are_encoded_as_by_the_stock_pipeline(self, model: Flux, tiny_flux: Path) -> None:
        tokens, summary, _ = stock(tiny_flux).encode_prompt(
            list(PROMPTS), None, max_sequence_length=T5_TOKENS, device="cpu"
        )
        told = encode_captions(model, PROMPTS)
        torch.testing.assert_close(told["tokens"], tokens)
        torch.testing.assert_close(told["summary"], summary)

    def test_tokens_are_packed_as_by_the_stock_pipeline(self) -> None:
        latents = torch.randn(2, 16, 6, 10, generator=torch.Generator().manual_seed(0))
        theirs = FluxPipeline._pack_latents(latents, 2, 16, 6, 10)
        assert torch.equal(packed(latents), theirs)
        assert torch.equal(unpacked(theirs, 6, 10), latents)

    def test_while_it_trains_the_denoiser_is_told_the_configured_guidance(self, tiny_flux: Path) -> None:
        noisy, t = torch.ones(1, 4, 8, 8), torch.tensor([0.5])
        said = {}
        for guidance in (1.0, 3.5):
            model = tiny_flux_source(tiny_flux, training_guidance=guidance).load()
            told = encode_captions(model, PROMPTS[:1])
            said[guidance] = model.denoise(noisy, t, told)
            explicit = model.denoise(noisy, t, {**told, **model.encode_guidance(guidance, 1)})
            assert torch.equal(said[guidance], explicit)
        assert not torch.allclose(said[1.0], said[3.5])

    def test_t5_drops_nothing_while_words_learn(self, tiny_flux: Path) -> None:
        model = tiny_flux_source(tiny_flux).load()
        calm = encode_captions(model, PROMPTS)["tokens"]
        model.train()
        assert torch.equal(encode_captions(model, PROMPTS)["tokens"], calm)

    def test_a_caption_is_cut_where_the_configuration_says(
        self, tiny_flux: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = tiny_flux_source(tiny_flux, text_tokens=8).load()
        assert encode_captions(model, ["a dog"])["tokens"].shape == (1, 8, WIDTHS["t5"])
        encode_captions(model, ["a photo of a small red dog on the beach"])
        whole = "a photo of a small red dog on the beach"
        assert f"has 11 tokens and is cut to 8, without 'on the beach' at its end: '{whole}'" in caplog.text


class TestFacts:
    def test_its_noise_is_a_flow_that_is_shifted_by_resolution(self, tiny_flux: Path) -> None:
        facts = tiny_flux_source(tiny_flux).facts()
        assert isinstance(facts.process, Flow)
        assert facts.process.shift is not None
        assert facts.process.shift.factor((16, 128, 128)) == pytest.approx(3.158, abs=1e-3)
        assert facts.pixel_multiple == 16
        assert set(facts.tokenizers) == {"clip_l", "t5"}


class TestFiles:
    def test_words_are_saved_in_both_vocabularies(self, tiny_flux: Path, tmp_path: Path) -> None:
        model = tiny_flux_source(tiny_flux).load()
        generator = torch.Generator().manual_seed(1)
        start = {name: torch.randn(2, width, generator=generator) for name, width in WIDTHS.items()}
        model.learn_word(WORD, start, length=None)
        model.save_pipeline(tmp_path)
        prompt = f"a photo of a {WORD} dog"
        theirs = stock(tmp_path)
        tokens, summary, _ = theirs.encode_prompt(prompt, None, max_sequence_length=T5_TOKENS, device="cpu")
        told = encode_captions(model, [prompt])
        torch.testing.assert_close(told["tokens"], tokens)
        torch.testing.assert_close(told["summary"], summary)
