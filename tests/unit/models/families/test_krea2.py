"""Krea 2: captions within a request that ends after them, layers of a language model, its schedules, and files."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from drawing import PROMPTS, stock
from rounding import near_tensors
from tiny_krea2 import LAYERS, WIDTH, tiny_krea2_pipeline, tiny_krea2_source

from imprint.errors import UserError
from imprint.libraries.diffusers import kept_in_float32
from imprint.models.families.krea2 import Krea2
from imprint.models.process import Flow
from imprint.models.roles import DENOISER
from imprint.training.encoding import encode_captions

WORD = "<toy>"
UNLIKE = ("a photo of a small red dog and a cat on the beach", "", "dog")
END = 5  # tokens of the request after a caption


@pytest.fixture(scope="module")
def folder(tiny_folder: Callable[[str], Path]) -> Path:
    return tiny_folder("krea2")


@pytest.fixture(scope="module")
def model(folder: Path) -> Krea2:
    """Read only."""
    return loaded(folder)


def loaded(folder: Path, **settings: Any) -> Krea2:
    model = tiny_krea2_source(folder, **settings).load()
    assert isinstance(model, Krea2)
    return model


def with_layers(layers: Any, folder: Path, copied: Path) -> Path:
    """A copy whose pipeline names other layers of its text encoder."""
    shutil.copytree(folder, copied)
    index = copied / "model_index.json"
    said = {**json.loads(index.read_text(encoding="utf-8")), "text_encoder_select_layers": layers}
    index.write_text(json.dumps(said), encoding="utf-8")
    return copied


class TestConditioning:
    @pytest.mark.parametrize("length", [512, 8])
    def test_texts_are_encoded_as_by_the_stock_pipeline(self, length: int, folder: Path) -> None:
        """Which pads every caption to the full length, before the end of the request; a longer one keeps that end."""
        tokens, mask = stock(folder).encode_prompt(list(UNLIKE), device="cpu", max_sequence_length=length)
        told = encode_captions(loaded(folder, text_tokens=length), UNLIKE)
        assert told["tokens"].shape[1:] == (min(length, max(mask.sum(dim=1))), len(LAYERS), WIDTH)
        for index, caption in enumerate(UNLIKE):
            own_LTD, theirs_LTD = told["tokens"][index][told["tokens_mask"][index]], tokens[index][mask[index]]
            torch.testing.assert_close(own_LTD, theirs_LTD)
            assert len(own_LTD) == min(length, len(caption.split()) + END)

    def test_a_longer_caption_is_cut_with_a_warning(self, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
        encode_captions(loaded(folder, text_tokens=8), UNLIKE)
        assert "is cut to 37, without 'a small red dog and a cat on the beach' at its end" in caplog.text

    def test_predictions_do_not_depend_on_the_lengths_of_other_texts(self, model: Krea2) -> None:
        generator = torch.Generator().manual_seed(0)
        noisy, t = torch.randn(len(UNLIKE), 4, 8, 6, generator=generator), torch.tensor([0.2, 0.5, 0.9])
        together = model.denoise(noisy, t, encode_captions(model, UNLIKE))
        alone = [
            model.denoise(noisy[one : one + 1], t[one : one + 1], encode_captions(model, [caption]))
            for one, caption in enumerate(UNLIKE)
        ]
        assert near_tensors(list(together), [own[0] for own in alone])


class TestFacts:
    def test_its_noise_is_a_flow_that_is_shifted_by_resolution(self, folder: Path) -> None:
        facts = tiny_krea2_source(folder).facts()
        assert isinstance(facts.process, Flow)
        assert facts.process.shift is not None
        assert facts.process.shift.factor((16, 128, 128)) == pytest.approx(math.exp(0.5 + 0.65 * 3840 / 6144))
        assert facts.pixel_multiple == 16
        assert set(facts.tokenizers) == {"qwen3_vl"}

    def test_a_distilled_checkpoint_draws_with_one_shift_for_all_sizes(self, model: Krea2, tmp_path: Path) -> None:
        turbo = loaded(tiny_krea2_pipeline(tmp_path, distilled=True))
        shapes = [(4, 16, 16), (4, 128, 128)]
        assert {turbo.drawing_shift(shape, 8) for shape in shapes} == {turbo.drawing_shift(shapes[0], 28)}
        shift = turbo.drawing_shift(shapes[0], 8)
        assert shift is not None
        assert shift.strength(shapes[0]) == 1.15
        assert model.drawing_shift(shapes[0], 8) == model.process.shift == turbo.process.shift

    @pytest.mark.parametrize("layers", [[0, 1], [1, 2, 4]])
    def test_layers_that_are_not_there_are_refused(self, layers: list[int], folder: Path, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"reads 3 layers .* has 3; text_encoder_select_layers are \["):
            tiny_krea2_source(with_layers(layers, folder, tmp_path / "model")).facts()

    def test_layers_that_are_no_numbers_are_refused_in_one_line(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="model_index.json cannot be used") as told:
            tiny_krea2_source(with_layers(["a", "b", "c"], folder, tmp_path / "model")).facts()
        assert "\n" not in str(told.value)

    def test_other_layers_are_another_model(self, folder: Path, tmp_path: Path) -> None:
        other = tiny_krea2_source(with_layers([1, 2, 3], folder, tmp_path / "model"))
        assert other.facts().fingerprint != tiny_krea2_source(folder).facts().fingerprint

    def test_a_checkpoint_that_names_no_layers_has_those_of_the_published_ones(
        self, folder: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(UserError, match=r"select_layers are \[2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32, 35\]"):
            tiny_krea2_source(with_layers(None, folder, tmp_path / "model")).facts()


def test_normalisations_keep_the_precision_that_they_have_in_the_library(folder: Path) -> None:
    model = loaded(folder)
    denoiser = model.roles[DENOISER]
    with torch.no_grad():
        for weight in kept_in_float32(denoiser):
            weight.fill_(1 / 3)
    model.cast_frozen(torch.bfloat16)
    theirs = type(denoiser).from_pretrained(folder / "transformer", torch_dtype=torch.bfloat16)
    kept = {name: weight for name, weight in denoiser.named_parameters() if weight.dtype == torch.float32}
    assert kept.keys() == {name for name, weight in theirs.named_parameters() if weight.dtype == torch.float32}
    assert all((weight == torch.tensor(1 / 3)).all() for weight in kept.values())


def test_words_of_several_vectors_are_saved_in_the_encoders_table(folder: Path, tmp_path: Path) -> None:
    model = loaded(folder)
    start = {"qwen3_vl": torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1))}
    model.learn_word(WORD, start, length=None)
    model.save_pipeline(tmp_path)
    # the stock pipeline has no loader of words, and what it is given must have every vector's token
    prompts = [f"a photo of a {WORD} {WORD}_1 dog", PROMPTS[0]]
    tokens, mask = stock(tmp_path).encode_prompt(prompts, device="cpu")
    told = encode_captions(model, [f"a photo of a {WORD} dog", PROMPTS[0]])
    for index in range(2):
        torch.testing.assert_close(told["tokens"][index][told["tokens_mask"][index]], tokens[index][mask[index]])
