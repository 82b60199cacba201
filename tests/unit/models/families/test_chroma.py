"""Chroma: what its transformer sees of a caption, alone and beside longer ones, and which of its layers learn."""

from pathlib import Path

import pytest
import torch
from diffusers import ChromaPipeline
from drawing import PROMPTS, stock
from rounding import near
from safetensors.torch import load_file
from small_runs import configure, losses
from tiny_chroma import chroma_velocity, tiny_chroma_source
from tiny_parts import T5_TOKENS
from torch import Tensor

from imprint.launching.forecast import forecast
from imprint.models.conditioning import joined, rows
from imprint.models.families.chroma import Chroma
from imprint.training.encoding import encode_captions
from imprint.verbs.train import train

UNLIKE = ("", "dog", *PROMPTS)  # of several lengths
WORD = "<toy>"


@pytest.fixture(scope="module")
def model(tiny_chroma: Path) -> Chroma:
    """Read only."""
    loaded = tiny_chroma_source(tiny_chroma).load()
    assert isinstance(loaded, Chroma)
    return loaded


@pytest.fixture(scope="module")
def pipeline(tiny_chroma: Path) -> ChromaPipeline:
    return stock(tiny_chroma)


def by_the_library(pipeline: ChromaPipeline, *prompts: str) -> tuple[Tensor, Tensor]:
    """(tokens, mask), of all tokens that T5 can read."""
    told = {"do_classifier_free_guidance": False, "max_sequence_length": T5_TOKENS, "device": "cpu"}
    tokens, _, mask, *_ = pipeline.encode_prompt(list(prompts), **told)
    return tokens, mask.bool()


class TestConditioning:
    def test_texts_are_encoded_as_by_the_stock_pipeline_as_far_as_its_mask(
        self, model: Chroma, pipeline: ChromaPipeline
    ) -> None:
        tokens, mask = by_the_library(pipeline, *UNLIKE)
        told = encode_captions(model, UNLIKE)
        assert told["tokens_mask"].sum(dim=1).tolist() == mask.sum(dim=1).tolist()
        torch.testing.assert_close(told["tokens"][told["tokens_mask"]], tokens[mask])

    def test_one_token_of_padding_is_seen(self, model: Chroma) -> None:
        (ids,), _ = model.tokens("text", ["dog"])
        seen = model.vocabularies["t5"].tokenizer.convert_ids_to_tokens(
            ids[: encode_captions(model, ["dog"])["tokens"].shape[1]]
        )
        assert seen == ["▁dog", "</s>", "<pad>"]

    def test_a_caption_that_fills_all_places_has_none(
        self, tiny_chroma: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        model = tiny_chroma_source(tiny_chroma, text_tokens=8).load()
        told = encode_captions(model, ["a dog", "a photo of a small red dog on the beach"])
        assert "is cut to 8, without 'on the beach' at its end" in caplog.text
        assert told["tokens_mask"].sum(dim=1).tolist() == [4, 8]

    def test_captions_of_any_length_in_a_batch_are_each_as_alone(self, model: Chroma, pipeline: ChromaPipeline) -> None:
        noisy = torch.randn(len(UNLIKE), 4, 8, 8, generator=torch.Generator().manual_seed(0))
        t = torch.linspace(0.2, 0.9, len(UNLIKE))
        told = encode_captions(model, UNLIKE)
        together = model.denoise(noisy, t, told)
        one = [slice(index, index + 1) for index in range(len(UNLIKE))]
        alone = [model.denoise(noisy[own], t[own], rows(told, own.start)) for own in one]
        torch.testing.assert_close(together, torch.cat(alone))
        torch.testing.assert_close(together, model.denoise(noisy, t, joined([rows(told, own.start) for own in one])))
        torch.testing.assert_close(together, chroma_velocity(pipeline, noisy, t, UNLIKE), rtol=1e-4, atol=1e-4)


class TestTraining:
    def test_it_learns_at_its_authors_times(self, tiny_chroma: Path, pictures: Path, tmp_path: Path) -> None:
        plan = forecast(configure(tiny_chroma, pictures, tmp_path))
        assert any("more noise than 0.50" in line for line in plan)

    def test_adapters_leave_the_network_of_the_modulation_as_it_is(
        self, tiny_chroma: Path, pictures: Path, tmp_path: Path
    ) -> None:
        everything = "method.targets=[attention,text_stream,feed_forward,single_stream]"
        run = train(configure(tiny_chroma, pictures, tmp_path, "method=lora", everything, "hparams.steps=1"))
        names = load_file(run.result / "pytorch_lora_weights.safetensors")
        assert {name.split(".")[1] for name in names} == {"transformer_blocks", "single_transformer_blocks", "proj_out"}

    def test_with_activations_computed_anew_captions_of_several_lengths_have_the_same_losses(
        self, tiny_chroma: Path, pictures: Path, tmp_path: Path
    ) -> None:
        """The stock transformer then does not hand its mask to all blocks."""
        settings = ["method=lora", "hparams.batch_size=2", "hparams.steps=3", "dataset.caption_dropout=0.5"]
        runs = [
            train(
                configure(
                    tiny_chroma, pictures, tmp_path / str(anew), *settings, f"trainer.gradient_checkpointing={anew}"
                )
            )
            for anew in (False, True)
        ]
        assert losses(runs[1]) == near(losses(runs[0]))


class TestFiles:
    def test_a_word_is_saved_in_the_pipeline(self, tiny_chroma: Path, tmp_path: Path) -> None:
        model = tiny_chroma_source(tiny_chroma).load()
        start = torch.randn(2, 24, generator=torch.Generator().manual_seed(1))
        model.learn_word(WORD, {"t5": start}, length=None)
        model.save_pipeline(tmp_path)
        prompt = f"a photo of a {WORD} dog"
        tokens, mask = by_the_library(stock(tmp_path), prompt)
        torch.testing.assert_close(encode_captions(model, [prompt])["tokens"], tokens[mask][None])
