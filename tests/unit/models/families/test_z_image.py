"""Z-Image: captions in the chat of its language model, texts of several lengths, its sense of guidance, and files."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from drawing import PROMPTS, draw, stock
from rounding import near_tensors
from tiny_z_image import TEXT_TOKENS, WIDTH, tiny_z_image_source
from torch import Tensor

from imprint.models.families.z_image import ZImage
from imprint.models.process import Flow
from imprint.models.roles import DENOISER
from imprint.training.encoding import encode_captions
from imprint.types import Sampler

WORD = "<toy>"
LONG = "a photo of a small red dog and a cat with a toy and a vase in the snow on the beach"  # above 32 tokens
UNLIKE = (LONG, "", "dog")


@pytest.fixture(scope="module")
def folder(tiny_folder: Callable[[str], Path]) -> Path:
    return tiny_folder("z_image")


@pytest.fixture(scope="module")
def model(folder: Path) -> ZImage:
    """Read only."""
    return loaded(folder)


def loaded(folder: Path, **settings: Any) -> ZImage:
    model = tiny_z_image_source(folder, **settings).load()
    assert isinstance(model, ZImage)
    return model


def texts_of(folder: Path, prompts: Sequence[str]) -> list[Tensor]:
    """By the stock pipeline, of their own lengths."""
    texts, _ = stock(folder).encode_prompt(
        list(prompts), "cpu", do_classifier_free_guidance=False, max_sequence_length=TEXT_TOKENS
    )
    return list(texts)


class TestConditioning:
    def test_texts_are_encoded_as_by_the_stock_pipeline(self, model: ZImage, folder: Path) -> None:
        told = encode_captions(model, UNLIKE)
        theirs = texts_of(folder, UNLIKE)
        assert len(set(map(len, theirs))) == len(UNLIKE)
        assert told["tokens"].shape == (len(UNLIKE), max(map(len, theirs)), WIDTH)
        assert told["tokens_mask"].sum(dim=1).tolist() == [len(text) for text in theirs]
        for text_LD, tokens_LD, mask_L in zip(theirs, told["tokens"], told["tokens_mask"], strict=True):
            torch.testing.assert_close(tokens_LD[mask_L], text_LD)

    def test_a_caption_is_said_by_a_user_and_the_answer_may_begin_with_a_thought(self, model: ZImage) -> None:
        ids_BL, mask_BL = model.tokens("text", ["a dog"])
        assert mask_BL.all()
        whole = model.vocabularies["qwen3"].tokenizer.decode(ids_BL[0])
        assert whole == "<|im_start|>user\na dog<|im_end|>\n<|im_start|>assistant\n"

    def test_predictions_do_not_depend_on_the_lengths_of_other_texts(self, model: ZImage) -> None:
        generator = torch.Generator().manual_seed(0)
        noisy, t = torch.randn(len(UNLIKE), 4, 8, 6, generator=generator), torch.tensor([0.2, 0.5, 0.9])
        together = model.denoise(noisy, t, encode_captions(model, UNLIKE))
        alone = [
            model.denoise(noisy[one : one + 1], t[one : one + 1], encode_captions(model, [caption]))
            for one, caption in enumerate(UNLIKE)
        ]
        assert near_tensors(list(together), [own[0] for own in alone])

    def test_a_caption_is_cut_where_the_configuration_says(
        self, folder: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = loaded(folder, text_tokens=32)
        assert encode_captions(model, [LONG])["tokens"].shape == (1, 32, WIDTH)
        assert re.search("is cut to 32, without '.*' at its end: 'a photo of a small red dog", caplog.text)


class TestGuidance:
    @pytest.mark.parametrize(("guidance", "samples"), [(0.0, 2), (0.5, 4), (5.0, 4)])
    def test_none_is_zero_and_then_there_is_no_negative_prompt(
        self, guidance: float, samples: int, model: ZImage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counts: list[int] = []
        denoiser = model.roles[DENOISER]
        forward = denoiser.forward

        def counting(pictures: list[Tensor], *more: Any, **told: Any) -> Any:
            counts.append(len(pictures))
            return forward(pictures, *more, **told)

        monkeypatch.setattr(denoiser, "forward", counting)
        draw(model, Sampler("model", 2, guidance, "a cat"))
        assert counts == [samples] * 2


class TestFacts:
    def test_its_own_schedule_has_one_shift_for_all_sizes(self, folder: Path) -> None:
        facts = tiny_z_image_source(folder).facts()
        assert isinstance(facts.process, Flow)
        assert facts.process.shift is not None
        assert {facts.process.shift.factor((16, side, side)) for side in (64, 128)} == {6}
        assert facts.pixel_multiple == 16
        assert set(facts.tokenizers) == {"qwen3"}


class TestFiles:
    def test_words_of_several_vectors_are_saved_in_the_encoders_table(self, folder: Path, tmp_path: Path) -> None:
        model = loaded(folder)
        start = {"qwen3": torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1))}
        model.learn_word(WORD, start, length=None)
        model.save_pipeline(tmp_path)
        told = encode_captions(model, [f"a photo of a {WORD} dog", PROMPTS[0]])
        # the stock pipeline has no loader of words, and what it is given must have every vector's token
        theirs = texts_of(tmp_path, [f"a photo of a {WORD} {WORD}_1 dog", PROMPTS[0]])
        for text_LD, tokens_LD in zip(theirs, told["tokens"], strict=True):
            torch.testing.assert_close(tokens_LD[: len(text_LD)], text_LD)
        again = loaded(tmp_path)
        torch.testing.assert_close(encode_captions(again, [f"a photo of a {WORD} dog"])["tokens"][0], theirs[0])
