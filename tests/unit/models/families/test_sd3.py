"""Stable Diffusion 3: how three text encoders' tokens are joined, its noise, limits, words in three vocabularies."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from drawing import PROMPTS, stock
from safetensors.torch import load_file
from small_runs import configure
from tiny import RESOLUTION, TOKENS
from tiny_parts import T5_TOKENS
from tiny_sd3 import SUMMARIES, WIDTHS, tiny_sd3_source

from imprint.errors import UserError
from imprint.launching.forecast import forecast
from imprint.models.families.sd3 import StableDiffusion3
from imprint.models.process import Flow
from imprint.training.encoding import encode_captions
from imprint.types import Sampler
from imprint.verbs.train import train

WORD = "<toy>"


@pytest.fixture(scope="module")
def model(tiny_sd3: Path) -> StableDiffusion3:
    """Read only."""
    loaded = tiny_sd3_source(tiny_sd3).load()
    assert isinstance(loaded, StableDiffusion3)
    return loaded


def by_the_library(folder: Path, *prompts: str) -> tuple[torch.Tensor, torch.Tensor]:
    """(tokens, summary)."""
    told = {"do_classifier_free_guidance": False, "max_sequence_length": T5_TOKENS, "device": "cpu"}
    tokens, _, summary, _ = stock(folder).encode_prompt(list(prompts), None, None, **told)
    return tokens, summary


class TestConditioning:
    def test_texts_are_encoded_as_by_the_stock_pipeline(self, model: StableDiffusion3, tiny_sd3: Path) -> None:
        tokens, summary = by_the_library(tiny_sd3, *PROMPTS, "")
        told = encode_captions(model, [*PROMPTS, ""])
        torch.testing.assert_close(told["tokens"], tokens)
        torch.testing.assert_close(told["summary"], summary)

    def test_an_empty_text_is_read_as_one(self, model: StableDiffusion3) -> None:
        told = encode_captions(model, [""])
        assert told["tokens"].shape == (1, TOKENS + T5_TOKENS, WIDTHS["t5"])
        assert told["summary"].shape == (1, sum(SUMMARIES))
        assert all(value.abs().sum() > 0 for value in told.values())

    def test_the_second_clip_pads_with_an_exclamation_mark(self, model: StableDiffusion3) -> None:
        last = {role: model.tokens(role, ["dog"])[0][0, -1] for role in ("text", "text_2")}
        names = {role: model.vocabularies[name].tokenizer for role, name in (("text", "clip_l"), ("text_2", "clip_g"))}
        assert names["text"].convert_ids_to_tokens(int(last["text"])) == "<|endoftext|>"
        assert names["text_2"].convert_ids_to_tokens(int(last["text_2"])) == "!"

    def test_t5_reads_as_much_of_a_caption_as_the_configuration_says(
        self, tiny_sd3: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = tiny_sd3_source(tiny_sd3, text_tokens=8).load()
        assert encode_captions(model, ["a dog"])["tokens"].shape[1] == TOKENS + 8
        encode_captions(model, ["a photo of a small red dog on the beach"])
        assert (
            "is cut to 8, without 'on the beach' at its end: 'a photo of a small red dog on the beach'" in caplog.text
        )


class TestFacts:
    def test_its_noise_is_a_flow_that_is_shifted_alike_at_every_size(self, tiny_sd3: Path) -> None:
        facts = tiny_sd3_source(tiny_sd3).facts()
        assert isinstance(facts.process, Flow)
        assert facts.process.shift is not None
        assert {facts.process.shift.factor((16, side, side)) for side in (64, 128)} == {3.0}
        assert facts.roles == ("denoiser", "text", "text_2", "text_3")
        assert facts.pixel_multiple == 16
        assert set(facts.adapter_kinds) == {"denoiser", "text", "text_2"}

    def test_it_learns_at_the_times_at_which_it_was_made(self, tiny_sd3: Path, pictures: Path, tmp_path: Path) -> None:
        """Logit-normal, through a shift by 3: 3 x .5 / (1 + 2 x .5)."""
        plan = forecast(configure(tiny_sd3, pictures, tmp_path))
        assert any("more noise than 0.75" in line for line in plan)

    def test_an_adapter_of_all_attention_is_in_that_of_the_picture_to_itself(
        self, tiny_sd3: Path, pictures: Path, tmp_path: Path
    ) -> None:
        plan = configure(tiny_sd3, pictures, tmp_path, "method=lora", "hparams.steps=1")
        result = train(plan).result / "pytorch_lora_weights.safetensors"
        assert {name.split(".")[3] for name in load_file(result)} == {"attn", "attn2"}

    @pytest.mark.parametrize(("height", "width"), [(4 * RESOLUTION, RESOLUTION), (RESOLUTION, 4 * RESOLUTION)])
    def test_a_picture_for_which_there_are_no_places_is_refused(
        self, height: int, width: int, model: StableDiffusion3
    ) -> None:
        wrong = "height" if height > width else "width"
        with pytest.raises(UserError, match=rf"^{wrong}=128: this model needs a multiple of 16, 64 at most\.$"):
            model.generate(["a dog"], [1], sampler=Sampler("model", 1, 1.0, ""), height=height, width=width)

    def test_a_resolution_for_which_there_are_no_places_is_refused(self, tiny_sd3: Path) -> None:
        with pytest.raises(UserError, match=r"model\.resolution=128: this model goes up to 64\."):
            tiny_sd3_source(tiny_sd3, resolution=4 * RESOLUTION).facts()

    def test_a_checkpoint_without_t5_is_refused_in_one_line(self, tiny_sd3: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(tiny_sd3, tmp_path / "model")
        for part in ("text_encoder_3", "tokenizer_3"):
            shutil.rmtree(folder / part)
        index = folder / "model_index.json"
        absent = {"text_encoder_3": [None, None], "tokenizer_3": [None, None]}
        index.write_text(json.dumps({**json.loads(index.read_text(encoding="utf-8")), **absent}), encoding="utf-8")
        with pytest.raises(UserError, match=r"it has no text_encoder_3, which this family needs \(T5EncoderModel\)"):
            tiny_sd3_source(folder).facts()


def test_words_are_saved_in_all_three_vocabularies(tiny_sd3: Path, tmp_path: Path) -> None:
    model = tiny_sd3_source(tiny_sd3).load()
    generator = torch.Generator().manual_seed(1)
    start = {name: torch.randn(1, width, generator=generator) for name, width in WIDTHS.items()}
    model.learn_word(WORD, start, length=None)
    model.save_pipeline(tmp_path)
    prompt = f"a photo of a {WORD} dog"
    tokens, summary = by_the_library(tmp_path, prompt)
    told = encode_captions(model, [prompt])
    torch.testing.assert_close(told["tokens"], tokens)
    torch.testing.assert_close(told["summary"], summary)
