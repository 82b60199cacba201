"""Stable Diffusion 3: how three text encoders' tokens are joined, its noise, limits, words in three vocabularies."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from drawing import PROMPTS, distance, draw, stock
from results import CLOSE, drawn, exported, with_lora
from results import by_the_library as with_guidance
from safetensors.torch import load_file, save_file
from small_runs import configure
from tiny import RESOLUTION, TOKENS
from tiny_parts import T5_TOKENS
from tiny_sd3 import SUMMARIES, WIDTHS, tiny_sd3_source

import imprint
from imprint.errors import UserError
from imprint.launching.forecast import forecast
from imprint.methods.word_files import read_words, write_words
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


@pytest.fixture(scope="module")
def without_t5(tiny_folder: Callable[[str], Path]) -> Path:
    return tiny_folder("sd3/without_t5")


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


class TestWithoutT5:
    """What the contracts ask of every form is in tests/contracts."""

    def test_zeros_are_in_place_of_what_t5_reads(self, without_t5: Path) -> None:
        prompts = [*PROMPTS, ""]
        told = encode_captions(tiny_sd3_source(without_t5).load(), prompts)
        tokens, summary = by_the_library(without_t5, *prompts)
        torch.testing.assert_close(told["tokens"], tokens)
        torch.testing.assert_close(told["summary"], summary)
        assert not tokens[:, TOKENS:].any()
        fewer = encode_captions(tiny_sd3_source(without_t5, text_tokens=2).load(), prompts)
        assert fewer["tokens"].shape == (len(prompts), TOKENS + 2, WIDTHS["t5"])

    def test_its_facts_know_of_no_t5(self, without_t5: Path, tiny_sd3: Path) -> None:
        source = tiny_sd3_source(without_t5)
        facts = source.facts()
        assert facts.roles == ("denoiser", "text", "text_2")
        assert facts.lacking == ("text_encoder_3", "tokenizer_3")
        assert set(facts.tokenizers) == set(source.meta_model().widths) == {"clip_l", "clip_g"}
        assert facts.fingerprint != tiny_sd3_source(tiny_sd3).facts().fingerprint
        assert not tiny_sd3_source(tiny_sd3).facts().lacking

    def test_what_it_makes_opens_in_the_stock_library(self, without_t5: Path, pictures: Path, tmp_path: Path) -> None:
        settings = ["method=lora", "method.roles=[denoiser,text,text_2]", "hparams.steps=2", "method.lr=2e-2"]
        run = train(configure(without_t5, pictures, tmp_path / "runs", *settings))
        ours = drawn([run], tmp_path / "ours", "negative_prompt=''")
        exported(run, tmp_path / "whole", "format=pipeline")
        api = imprint.open(run.folder).pipeline()
        for pipeline in (with_lora(without_t5, run.result), stock(tmp_path / "whole"), api):
            assert distance(ours, with_guidance(pipeline)) <= CLOSE

    def test_text_encoders_leave_memory_and_come_back(self, without_t5: Path) -> None:
        model = tiny_sd3_source(without_t5).load()
        before = draw(model)
        model.residency.release(["text", "text_2"])
        assert distance(draw(model), before) == 0
        assert all(weight.is_meta for weight in model.text_encoder.parameters())

    def test_a_network_file_is_read_with_it(self, without_t5: Path, tiny_sd3: Path, tmp_path: Path) -> None:
        model, file = tiny_sd3_source(without_t5).load(), tmp_path / "denoiser.safetensors"
        model.formats["single_file"].write(file, torch.float32)
        read = tiny_sd3_source(file, config=str(without_t5)).load()
        assert distance(draw(read), draw(model)) == 0
        t5 = load_file(tiny_sd3 / "text_encoder_3" / "model.safetensors")
        with_t5 = {f"text_encoders.t5xxl.transformer.{name}": weight for name, weight in t5.items()}
        save_file({**load_file(file), **with_t5}, tmp_path / "with_t5.safetensors")
        with pytest.raises(
            UserError, match=r"it holds text_encoder_3, which the pipeline in .* lacks\. Set model\.config"
        ):
            tiny_sd3_source(tmp_path / "with_t5.safetensors", config=str(without_t5)).facts()

    def test_a_folder_that_only_says_it_has_t5_is_refused(self, tiny_sd3: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(tiny_sd3, tmp_path / "model")
        shutil.rmtree(folder / "text_encoder_3")
        with pytest.raises(UserError, match=r"lacks text_encoder_3/config\.json\. Give a complete pipeline folder\."):
            tiny_sd3_source(folder).facts()

    def test_another_part_cannot_be_left_out(self, without_t5: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(without_t5, tmp_path / "model")
        index = folder / "model_index.json"
        absent = {"text_encoder_2": [None, None], "tokenizer_2": [None, None]}
        index.write_text(json.dumps({**json.loads(index.read_text(encoding="utf-8")), **absent}), encoding="utf-8")
        with pytest.raises(UserError, match=r"it has no text_encoder_2, which this family needs"):
            tiny_sd3_source(folder).facts()

    def test_words_of_a_whole_model_are_refused(self, without_t5: Path, tiny_sd3: Path, tmp_path: Path) -> None:
        whole = tiny_sd3_source(tiny_sd3).load()
        whole.learn_word(WORD, {name: torch.ones(1, width) for name, width in WIDTHS.items()}, length=None)
        write_words(whole, tmp_path)
        with pytest.raises(UserError, match="it holds vectors for clip_g, clip_l, t5; .* are clip_l, clip_g"):
            read_words(tmp_path, list(tiny_sd3_source(without_t5).facts().tokenizers))


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
