"""FLUX.1: what it tells its denoiser, its two senses of guidance, and files that go round through the stock library."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FluxPipeline
from drawing import PROMPTS, ROUNDING, SEEDS, distance, draw, stock
from PIL import Image
from tiny import RESOLUTION
from tiny_flux import T5_TOKENS, WIDTHS, tiny_flux_pipeline, tiny_flux_source

from imprint.errors import UserError
from imprint.models.flux import Flux, packed, unpacked
from imprint.models.process import Flow
from imprint.training.encoding import encode_captions
from imprint.types import Sampler

DEV = Sampler("model", 3, 3.5, "")
WORD = "<toy>"


@pytest.fixture(scope="module")
def tiny_schnell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_flux_pipeline(tmp_path_factory.mktemp("schnell"), guidance=False)


@pytest.fixture(scope="module")
def model(tiny_flux: Path) -> Flux:
    """Read only."""
    loaded = tiny_flux_source(tiny_flux).load()
    assert isinstance(loaded, Flux)
    return loaded


def by_the_library(folder: Path, *, height: int, width: int, **settings: object) -> list[Image.Image]:
    pipeline = stock(folder)
    pipeline.set_progress_bar_config(disable=True)
    usual = {"num_inference_steps": 3, "max_sequence_length": T5_TOKENS, "height": height, "width": width}
    return [
        pipeline(prompt, generator=torch.Generator().manual_seed(seed), **usual, **settings).images[0]
        for prompt, seed in zip(PROMPTS, SEEDS, strict=True)
    ]


class TestPictures:
    @pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 32)])
    def test_told_guidance_they_are_those_of_the_stock_pipeline(
        self, model: Flux, tiny_flux: Path, height: int, width: int
    ) -> None:
        ours = model.generate(PROMPTS, SEEDS, sampler=DEV, height=height, width=width)
        theirs = by_the_library(tiny_flux, height=height, width=width, guidance_scale=DEV.guidance)
        assert distance(ours, theirs) <= ROUNDING
        assert np.asarray(ours[0]).std() > 1

    @pytest.mark.parametrize("guidance", [1.0, 3.0])
    def test_without_it_a_negative_prompt_guides(self, guidance: float, tiny_schnell: Path) -> None:
        ours = draw(tiny_flux_source(tiny_schnell).load(), DEV._replace(guidance=guidance, negative_prompt="a cat"))
        real = {"negative_prompt": "a cat", "true_cfg_scale": guidance}
        assert distance(ours, by_the_library(tiny_schnell, height=RESOLUTION, width=RESOLUTION, **real)) <= ROUNDING

    def test_a_picture_does_not_depend_on_its_batch(self, model: Flux) -> None:
        alone = [draw(model, DEV, [prompt], [seed])[0] for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]
        assert distance(draw(model, DEV), alone) <= ROUNDING

    @pytest.mark.parametrize("scheduler", ["FlowMatchHeunDiscreteScheduler", "UniPCMultistepScheduler"])
    def test_other_samplers_of_flows_draw(self, model: Flux, scheduler: str) -> None:
        drawn = draw(model, DEV._replace(scheduler=scheduler))
        assert np.asarray(drawn[0]).std() > 1


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
        assert "is cut to 8: 'a photo of a small red dog on the beach'" in caplog.text


class TestFacts:
    def test_its_noise_is_a_flow_that_is_shifted_by_resolution(self, tiny_flux: Path) -> None:
        facts = tiny_flux_source(tiny_flux).facts()
        assert isinstance(facts.process, Flow)
        assert facts.process.shift is not None
        assert facts.process.shift.factor((16, 128, 128)) == pytest.approx(3.158, abs=1e-3)
        assert facts.pixel_multiple == 16
        assert set(facts.tokenizers) == {"clip_l", "t5"}

    @pytest.mark.parametrize(
        ("part", "key", "message"),
        [
            ("transformer", "joint_attention_dim", "expects 99 text features of text_encoder_2, which gives 24"),
            ("transformer", "pooled_projection_dim", "expects 99 text features of text_encoder, which gives 16"),
            ("transformer", "in_channels", "takes 99 channels, a token has 16"),
        ],
    )
    def test_parts_of_different_models_are_refused(
        self, part: str, key: str, message: str, tiny_flux: Path, tmp_path: Path
    ) -> None:
        folder = shutil.copytree(tiny_flux, tmp_path / "model")
        config = folder / part / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text(encoding="utf-8")), key: 99}), encoding="utf-8")
        with pytest.raises(UserError, match=message):
            tiny_flux_source(folder).facts()

    def test_a_single_file_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "flux.safetensors"
        file.touch()
        with pytest.raises(UserError, match=r"single files of FLUX\.1 are not read"):
            tiny_flux_source(file).facts()

    def test_another_familys_folder_is_refused(self, tiny_sdxl: Path) -> None:
        with pytest.raises(UserError, match="holds a StableDiffusionXLPipeline. This family needs a FluxPipeline"):
            tiny_flux_source(tiny_sdxl).facts()


class TestFiles:
    def test_a_saved_pipeline_makes_the_same_pictures(self, model: Flux, tmp_path: Path) -> None:
        model.save_pipeline(tmp_path)
        assert distance(draw(model, DEV), draw(tiny_flux_source(tmp_path).load(), DEV)) == 0
        theirs = by_the_library(tmp_path, height=RESOLUTION, width=RESOLUTION, guidance_scale=DEV.guidance)
        assert distance(draw(model, DEV), theirs) <= ROUNDING

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
