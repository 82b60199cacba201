"""A word is learned, and nothing else of the vocabulary."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from drawing import ROUNDING, distance, draw, draw_stock, stock
from families import load_tiny
from safetensors.torch import load_file
from tiny import tiny_pipeline, tiny_tokenizer
from torch import Tensor

from imprint.errors import UserError
from imprint.models.families.sd import StableDiffusion
from imprint.models.words import tokens_of, why_not_new
from imprint.training.encoding import encode_captions

WORD = "<toy>"


def start(vectors: int) -> Tensor:
    return torch.randn(vectors, 16, generator=torch.Generator().manual_seed(1))


def learn(model: StableDiffusion, word: str, start_ND: Tensor, *, length: float | None) -> torch.nn.Parameter:
    return model.learn_word(word, {"clip_l": start_ND}, length=length)["clip_l"]


def told(model: StableDiffusion, captions: Sequence[str]) -> Tensor:
    return encode_captions(model, captions)["tokens"]


@pytest.mark.parametrize("vectors", [1, 3])
def test_a_caption_with_the_word_sees_its_vectors_and_the_others_stay(vectors: int, tiny_sd: Path) -> None:
    model, untuned = load_tiny(tiny_sd), load_tiny(tiny_sd)
    learn(model, WORD, start(vectors), length=None)
    others = ["a photo of a dog", "a red vase"]
    assert torch.equal(told(model, others), told(untuned, others))
    # The library's own way to put vectors into a model.
    pipeline = stock(tiny_sd)
    pipeline.load_textual_inversion({WORD: start(vectors)})
    prompt = f"a photo of {WORD} on the beach"
    expected, _ = pipeline.encode_prompt(prompt, "cpu", 1, False)
    torch.testing.assert_close(told(model, [prompt]), expected)


def test_several_words_do_not_get_mixed_up(tiny_sd: Path) -> None:
    model, other = load_tiny(tiny_sd), load_tiny(tiny_sd)
    learn(model, "<one>", start(2), length=None)
    learn(model, "<two>", -start(1), length=None)
    learn(other, "<two>", -start(1), length=None)
    learn(other, "<one>", start(2), length=None)
    captions = ["<one> and <two>", "a <two>", "a photo of <one>"]
    assert torch.equal(told(model, captions), told(other, captions))
    assert list(model.words) == ["<one>", "<two>"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_come_through_the_frozen_encoder_to_the_vectors_alone(dtype: torch.dtype, tiny_sd: Path) -> None:
    model = load_tiny(tiny_sd)
    vectors_ND = learn(model, WORD, start(2), length=None)
    for parameter in model.parameters():
        if parameter is not vectors_ND:
            parameter.data = parameter.data.to(dtype)
    told(model, [f"a {WORD} dog"]).float().square().sum().backward()
    assert vectors_ND.grad is not None
    assert vectors_ND.grad.dtype == torch.float32
    assert bool((vectors_ND.grad.abs().sum(dim=1) > 0).all())
    assert [name for name, parameter in model.named_parameters() if parameter.grad is not None] == [
        name for name, parameter in model.named_parameters() if parameter.requires_grad
    ]


def test_a_caption_without_the_word_gives_a_gradient_of_zeros(tiny_sd: Path) -> None:
    model = load_tiny(tiny_sd)
    vectors_ND = learn(model, WORD, start(1), length=None)
    told(model, ["a dog"]).sum().backward()
    assert vectors_ND.grad is not None
    assert not vectors_ND.grad.any()


def test_vectors_of_a_given_length_keep_it_wherever_they_go(tiny_sd: Path) -> None:
    model = load_tiny(tiny_sd)
    vectors_ND = learn(model, WORD, start(3), length=0.4)
    other = load_tiny(tiny_sd)
    learn(other, WORD, model.words[WORD]["clip_l"].detach(), length=None)
    assert torch.equal(told(model, [WORD]), told(other, [WORD]))
    with torch.no_grad():
        vectors_ND.mul_(7).add_(1)
    torch.testing.assert_close(model.words[WORD]["clip_l"].norm(dim=1), torch.full((3,), 0.4))


def test_tokens_of_a_text_are_rows_of_the_vocabulary(tiny_sd: Path) -> None:
    model = load_tiny(tiny_sd)
    ids = model.vocabularies["clip_l"].tokenizer("red dog", add_special_tokens=False).input_ids
    before = model.vocabularies["clip_l"].token_vectors("red dog")
    assert torch.equal(before, model.vocabularies["clip_l"].vectors[ids])
    learn(model, WORD, start(1), length=None)
    assert torch.equal(model.vocabularies["clip_l"].token_vectors("red dog"), before)


class TestSaving:
    @pytest.mark.parametrize("vectors", [1, 3])
    def test_a_saved_pipeline_knows_the_word(self, vectors: int, tiny_sd: Path, tmp_path: Path) -> None:
        model = load_tiny(tiny_sd)
        learn(model, WORD, start(vectors), length=None)
        model.save_pipeline(tmp_path / "saved")
        saved = load_tiny(tmp_path / "saved")
        captions = [f"a photo of {WORD}", "a photo of a dog"]
        assert torch.equal(told(saved, captions), told(model, captions))
        assert distance(draw(model), draw_stock(stock(tmp_path / "saved"))) <= ROUNDING
        assert why_not_new(saved.vocabularies["clip_l"].tokenizer, WORD, vectors) is not None

    def test_the_vocabulary_loses_nothing_to_a_lower_precision(self, tiny_sd: Path, tmp_path: Path) -> None:
        model = load_tiny(tiny_sd)
        learn(model, WORD, start(2), length=None)
        model.text_encoder.get_input_embeddings().weight.data = model.vocabularies["clip_l"].vectors.data.bfloat16()
        model.save_pipeline(tmp_path / "saved")
        before, after = (
            load_file(folder / "text_encoder/model.safetensors") for folder in (tiny_sd, tmp_path / "saved")
        )
        assert before.keys() == after.keys()
        [table] = [name for name in before if "token_embedding" in name]
        known = len(before[table])
        assert torch.equal(after[table][:known], before[table])
        assert torch.equal(after[table][known:], start(2))
        assert all(torch.equal(before[name], after[name]) for name in before if name != table)

    def test_a_table_with_spare_rows_is_filled_from_its_first_free_one(self, tmp_path: Path) -> None:
        pipeline = stock(tiny_pipeline(tmp_path / "source"))
        pipeline.text_encoder.resize_token_embeddings(len(pipeline.tokenizer) + 8, mean_resizing=False)
        pipeline.save_pretrained(tmp_path / "spare")
        model = load_tiny(tmp_path / "spare")
        learn(model, WORD, start(2), length=None)
        model.save_pipeline(tmp_path / "saved")
        saved = load_tiny(tmp_path / "saved")
        assert torch.equal(told(saved, [f"a {WORD}"]), told(model, [f"a {WORD}"]))
        assert saved.vocabularies["clip_l"].vectors.shape == model.vocabularies["clip_l"].vectors.shape

    def test_one_file_has_no_place_for_words(self, tiny_sd: Path, tmp_path: Path) -> None:
        model = load_tiny(tiny_sd)
        learn(model, WORD, start(1), length=None)
        with pytest.raises(UserError, match="no place for new words.*format=pipeline"):
            model.formats["single_file"].write(tmp_path / "one.safetensors", torch.float32)
        assert not list(tmp_path.iterdir())


class TestNewWords:
    def test_tokens_are_named_as_the_library_names_them(self, tiny_sd: Path) -> None:
        pipeline = stock(tiny_sd)
        pipeline.load_textual_inversion({WORD: start(3)})
        assert list(pipeline.tokenizer.get_added_vocab())[-3:] == tokens_of(WORD, 3)

    @pytest.mark.parametrize(
        ("word", "reason"),
        [
            ("dog", "knows dog already"),
            ("sks", "knows sks already"),
            ("my toy", "not one word"),
            ("<Toy>", "in another way"),
        ],
    )
    def test_a_word_that_cannot_be_new_is_told_why(self, word: str, reason: str) -> None:
        assert reason in str(why_not_new(tiny_tokenizer(), word, 1))

    @pytest.mark.parametrize("word", [WORD, "ktn9", "<my-dog>"])
    def test_a_word_that_falls_into_pieces_can_be_new_and_asking_changes_nothing(self, word: str) -> None:
        tokenizer = tiny_tokenizer()
        assert why_not_new(tokenizer, word, 2) is None
        assert len(tokenizer) == len(tiny_tokenizer())

    def test_each_of_several_tokens_must_be_new(self) -> None:
        tokenizer = tiny_tokenizer()
        tokenizer.add_tokens([f"{WORD}_1"])
        assert "_1 already" in str(why_not_new(tokenizer, WORD, 2))
        assert why_not_new(tokenizer, WORD, 1) is None
