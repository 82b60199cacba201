"""Sana: what its denoiser is told of a caption behind an instruction, its latents, and words that are looked up
scaled."""

from pathlib import Path

import pytest
import torch
from diffusers import SanaPipeline
from drawing import PROMPTS, stock
from lessons import assembled, batches
from rounding import SINGLE
from small_runs import configure
from tiny_sana import TOKENS, WIDTH, tiny_sana_pipeline, tiny_sana_source

from imprint.errors import ConfigError, UserError
from imprint.models.conditioning import joined
from imprint.models.families.sana import INSTRUCTION, Sana
from imprint.models.process import Flow
from imprint.planning.prepare import prepare
from imprint.training.encoding import encode_captions
from imprint.types import Conditioning

WORD = "<toy>"
RAGGED = ("Dog ", *PROMPTS)
LONG = " ".join(["a photo of a small red dog on the beach"] * 6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    return tiny_sana_pipeline(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def model(folder: Path) -> Sana:
    """Read only."""
    loaded = tiny_sana_source(folder).load()
    assert isinstance(loaded, Sana)
    return loaded


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> SanaPipeline:
    return stock(folder)


def told_by_the_library(pipeline: SanaPipeline, captions: tuple[str, ...], *, negative: bool = False) -> Conditioning:
    tokens, mask, negative_tokens, negative_mask = pipeline.encode_prompt(
        list(captions),
        negative_prompt=list(captions),
        device="cpu",
        max_sequence_length=TOKENS,
        complex_human_instruction=INSTRUCTION.split("\n"),
    )
    found = (negative_tokens, negative_mask) if negative else (tokens, mask)
    return {"tokens": found[0], "tokens_mask": found[1].bool()}


def assert_same(ours: Conditioning, theirs: Conditioning) -> None:
    """Theirs are padded further."""
    for one, mask, other, other_mask in zip(
        ours["tokens"], ours["tokens_mask"], theirs["tokens"], theirs["tokens_mask"], strict=True
    ):
        torch.testing.assert_close(one[mask], other[other_mask])


class TestCaptions:
    def test_they_are_encoded_as_by_the_stock_pipeline(self, model: Sana, pipeline: SanaPipeline) -> None:
        assert_same(
            model.encode_text([*RAGGED, ""], empty_is_unconditional=False), told_by_the_library(pipeline, (*RAGGED, ""))
        )
        assert_same(model.encode_negative([*RAGGED, ""]), told_by_the_library(pipeline, (*RAGGED, ""), negative=True))

    def test_a_dropped_one_is_as_no_negative_prompt(self, model: Sana) -> None:
        told = encode_captions(model, ["a dog", ""])
        assert torch.equal(told["tokens_mask"].sum(dim=1), torch.tensor([3, 1]))
        torch.testing.assert_close(told["tokens"][1:, :1], model.encode_negative([""])["tokens"])

    def test_of_the_instruction_the_denoiser_is_told_nothing(self, model: Sana) -> None:
        told = encode_captions(model, ["a dog"])
        assert told["tokens"].shape == (1, 3, WIDTH)  # the token that begins every text, and two words
        assert not torch.allclose(told["tokens"], model.encode_negative(["a dog"])["tokens"])

    def test_a_batch_of_several_lengths_is_told_what_each_is_alone(self, model: Sana) -> None:
        captions = (*RAGGED, "")
        alone = [encode_captions(model, [caption]) for caption in captions]
        noisy = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            expected = torch.cat([model.denoise(noisy, torch.tensor([0.7]), told) for told in alone])
            for together in (encode_captions(model, captions), joined(alone)):
                predicted = model.denoise(
                    noisy.expand(len(captions), -1, -1, -1), torch.full((len(captions),), 0.7), together
                )
                assert (predicted - expected).norm() <= SINGLE * expected.norm()

    def test_a_long_one_is_cut_where_the_configuration_says(
        self, model: Sana, pipeline: SanaPipeline, caplog: pytest.LogCaptureFixture
    ) -> None:
        told = encode_captions(model, [LONG])
        assert told["tokens"].shape == (1, TOKENS, WIDTH)
        assert_same(told, told_by_the_library(pipeline, (LONG,)))
        assert_same(model.encode_negative([LONG]), told_by_the_library(pipeline, (LONG,), negative=True))
        assert "is cut to" in caplog.text
        assert LONG[:100] in caplog.text

    def test_a_word_is_read_by_the_stock_pipeline(self, folder: Path, tmp_path: Path) -> None:
        """Gemma looks its vectors up scaled, a learned one as any other."""
        model = tiny_sana_source(folder).load()
        start = 0.1 * torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1))
        model.learn_word(WORD, {"gemma2": start}, length=None)
        model.save_pipeline(tmp_path)
        theirs = told_by_the_library(stock(tmp_path), (f"a {WORD} {WORD}_1 dog",))
        assert_same(encode_captions(model, [f"a {WORD} dog"]), theirs)

    def test_a_word_in_upper_case_is_refused(self, folder: Path, pictures: Path, tmp_path: Path) -> None:
        settings = ["method=textual_inversion", "dataset.identifier='<Toy>'"]
        with pytest.raises(ConfigError, match="reads texts in lower case"):
            prepare(configure(folder, pictures, tmp_path, *settings))


class TestLatents:
    def test_they_are_those_of_the_autoencoder_without_spread(self, model: Sana, pipeline: SanaPipeline) -> None:
        pixels = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
        moments = model.encode(pixels)
        assert moments.mean_BCHW.shape == (2, *model.latent_shape(32, 64))
        assert not moments.std_BCHW.any()
        with torch.no_grad():
            theirs = pipeline.vae.encode(pixels).latent
            shown = pipeline.vae.decode(theirs).sample.clamp(-1, 1)
        torch.testing.assert_close(moments.mean_BCHW, theirs * 0.41407)
        torch.testing.assert_close(model.decode(moments.mean_BCHW), shown)


def test_every_weight_that_learns_has_a_gradient(folder: Path, pictures: Path, tmp_path: Path) -> None:
    module = assembled(configure(folder, pictures, tmp_path, "method=dreambooth", "method.roles=[denoiser,text]"))
    module.backward(module.losses(next(batches(module))).total)
    without = [name for name, weight in module.model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not without


class TestFacts:
    def test_its_noise_is_a_flow_with_one_shift(self, folder: Path) -> None:
        facts = tiny_sana_source(folder).facts()
        assert isinstance(facts.process, Flow)
        assert facts.process.shift is not None
        assert facts.process.shift.factor((32, 32, 32)) == 3.0
        assert facts.pixel_multiple == 32
        assert list(facts.tokenizers) == ["gemma2"]

    def test_a_single_file_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "sana.safetensors"
        file.touch()
        with pytest.raises(UserError, match="single files of Sana are not read"):
            tiny_sana_source(file).facts()
