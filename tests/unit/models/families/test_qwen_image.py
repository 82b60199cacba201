"""Qwen-Image: what its language model reads and the denoiser is told of it, how it is guided, and what of it learns."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKLQwenImage, QwenImagePipeline
from drawing import PROMPTS, stock
from lessons import assembled, batches
from rounding import SINGLE
from small_runs import configure
from tiny_qwen_image import WIDTH, tiny_qwen_image_pipeline, tiny_qwen_image_source
from torch import Tensor

from imprint.batched_runs.ensemble import sharing_copy
from imprint.errors import UserError
from imprint.models.conditioning import joined, rows
from imprint.models.families.packing import packed
from imprint.models.families.qwen_image import REQUEST, QwenImage
from imprint.models.process import Flow
from imprint.training.encoding import encode_captions
from imprint.types import Conditioning

WORD = "<toy>"
RAGGED = ("dog", *PROMPTS, "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read only."""
    return tiny_qwen_image_pipeline(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def model(folder: Path) -> QwenImage:
    """Read only."""
    loaded = tiny_qwen_image_source(folder).load()
    assert isinstance(loaded, QwenImage)
    return loaded


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> QwenImagePipeline:
    return stock(folder)


def noise(count: int, *, height: int = 8) -> Tensor:
    return torch.randn(count, 4, height, 8, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def predicted(model: QwenImage, told: Conditioning) -> Tensor:
    count = len(told["tokens"])
    return model.denoise(noise(1).expand(count, -1, -1, -1), torch.full((count,), 0.7), told)


class TestCaptions:
    def test_they_are_encoded_as_by_the_stock_pipeline(self, model: QwenImage, pipeline: QwenImagePipeline) -> None:
        tokens, mask = pipeline.encode_prompt(list(RAGGED), device="cpu")
        told = encode_captions(model, RAGGED)
        torch.testing.assert_close(told["tokens"] * told["tokens_mask"][..., None], tokens)
        assert torch.equal(told["tokens_mask"], mask.bool())

    def test_of_the_request_the_denoiser_is_told_what_follows_its_first_part(self, model: QwenImage) -> None:
        """That is 34 tokens long in this vocabulary, as in the published one."""
        before, _, after = REQUEST.partition("{}")
        tokenizer = model.vocabularies["qwen2_5_vl"].tokenizer
        assert len(tokenizer(before).input_ids) == 34
        told = encode_captions(model, ["dog"])["tokens"]
        assert told.shape == (1, 1 + len(tokenizer(after).input_ids), WIDTH)

    def test_a_batch_of_several_lengths_is_told_what_each_is_alone(self, model: QwenImage) -> None:
        alone = [encode_captions(model, [caption]) for caption in RAGGED]
        expected = torch.cat([predicted(model, told) for told in alone])
        size = expected.norm()
        for together in (encode_captions(model, RAGGED), joined(alone)):
            assert (predicted(model, together) - expected).norm() <= SINGLE * size
            unmasked = {**together, "tokens_mask": torch.ones_like(together["tokens_mask"])}
            assert (predicted(model, unmasked) - expected).norm() > 100 * SINGLE * size
            for index, own in enumerate(alone):
                torch.testing.assert_close(rows(together, index), own)

    def test_a_long_one_is_cut_where_the_configuration_says(
        self, folder: Path, pipeline: QwenImagePipeline, caplog: pytest.LogCaptureFixture
    ) -> None:
        caption = "a photo of a small red dog on the beach"
        model = tiny_qwen_image_source(folder, text_tokens=8).load()
        told = encode_captions(model, [caption, "dog"])
        tokens, mask = pipeline.encode_prompt([caption, "dog"], device="cpu", max_sequence_length=8)
        torch.testing.assert_close(told["tokens"] * told["tokens_mask"][..., None], tokens)
        assert torch.equal(told["tokens_mask"], mask.bool())
        assert re.search(rf"is cut to {34 + 8}, without '.*the beach' at its end: '{caption}'", caplog.text)

    def test_a_word_is_read_by_the_stock_pipeline(self, folder: Path, tmp_path: Path) -> None:
        model = tiny_qwen_image_source(folder).load()
        start = torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1))
        model.learn_word(WORD, {"qwen2_5_vl": start}, length=None)
        model.save_pipeline(tmp_path)
        theirs = stock(tmp_path)
        assert {WORD, f"{WORD}_1"} <= theirs.tokenizer.get_vocab().keys()
        # it does not know that a word may have several vectors
        tokens, _ = theirs.encode_prompt(f"a {WORD} {WORD}_1 dog", device="cpu")
        torch.testing.assert_close(encode_captions(model, [f"a {WORD} dog"])["tokens"], tokens)


class TestGuidance:
    def test_each_token_is_as_long_as_the_prompts_own(self, model: QwenImage) -> None:
        positive, negative = noise(2, height=12), noise(2, height=12).flip(0)
        guided = packed(model.guided(positive, negative, 4.0))
        beyond = packed(negative + 4.0 * (positive - negative))
        torch.testing.assert_close(guided.norm(dim=-1), packed(positive).norm(dim=-1))
        torch.testing.assert_close(torch.cosine_similarity(guided, beyond, dim=-1), torch.ones(2, 24))


class TestLatents:
    def test_they_are_scaled_by_channel_as_in_the_stock_pipeline(
        self, model: QwenImage, pipeline: QwenImagePipeline
    ) -> None:
        vae: AutoencoderKLQwenImage = pipeline.vae
        pixels = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
        moments = model.encode(pixels)
        assert moments.mean_BCHW.shape == moments.std_BCHW.shape == (2, *model.latent_shape(32, 48))
        # as the library's own script for LoRA has it
        mean, spread = (torch.tensor(vae.config[key]).view(1, -1, 1, 1) for key in ("latents_mean", "latents_std"))
        with torch.no_grad():
            theirs = vae.encode(pixels[:, :, None]).latent_dist
            shown = vae.decode(theirs.mode()).sample[:, :, 0]
        torch.testing.assert_close(moments.mean_BCHW, (theirs.mean[:, :, 0] - mean) / spread)
        torch.testing.assert_close(moments.std_BCHW, theirs.std[:, :, 0] / spread)
        torch.testing.assert_close(model.decode(moments.mean_BCHW), shown)


class TestWhatLearns:
    def test_every_weight_that_learns_has_a_gradient(self, folder: Path, pictures: Path, tmp_path: Path) -> None:
        """Neither the language model's eyes nor its words to say learn, and the text of the last block does."""
        settings = ["method=dreambooth", "method.roles=[denoiser,text]"]
        module = assembled(configure(folder, pictures, tmp_path, *settings))
        module.backward(module.losses(next(batches(module))).total)
        learning = {name for name, parameter in module.model.named_parameters() if parameter.requires_grad}
        assert {name for name, parameter in module.model.named_parameters() if parameter.grad is not None} == learning
        outside = {name for name in dict(module.model.named_parameters()) if name not in learning}
        assert {name.split(".")[0] for name in outside} == {"vae", "text_encoder"}
        assert {name.split(".")[2] for name in outside if name.startswith("text_encoder.model.")} == {"visual"}

    def test_a_copy_for_another_run_has_its_own_language_model_inside_its_text_encoder(self, model: QwenImage) -> None:
        copied = sharing_copy(model)
        assert isinstance(copied, QwenImage)
        assert copied.roles["text"] is copied.text_encoder.model.language_model
        assert copied.roles["text"] is not model.roles["text"]


class TestFacts:
    def test_its_noise_is_a_flow_that_is_shifted_by_resolution(self, folder: Path) -> None:
        facts = tiny_qwen_image_source(folder).facts()
        assert isinstance(facts.process, Flow)
        assert facts.process.shift is not None
        assert facts.process.shift.factor((16, 128, 128)) == pytest.approx(2.0008, abs=1e-3)
        assert facts.pixel_multiple == 16
        assert list(facts.tokenizers) == ["qwen2_5_vl"]

    @pytest.mark.parametrize("nested", [True, False])
    def test_a_language_model_of_another_width_is_refused(self, nested: bool, folder: Path, tmp_path: Path) -> None:
        """Its configuration is a part of the text encoder's, or, of older releases, all of it."""
        model = shutil.copytree(folder, tmp_path / "model")
        file = model / "text_encoder" / "config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        if nested:
            config["text_config"]["hidden_size"] = 48
        else:
            config = {**config.pop("text_config"), **config, "hidden_size": 48}
        file.write_text(json.dumps(config), encoding="utf-8")
        with pytest.raises(UserError, match="expects 32 text features of text_encoder, which gives 48"):
            tiny_qwen_image_source(model).facts()
