"""Stable Diffusion XL: what it tells its denoiser, and files that go round through the stock library."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    infer_diffusers_model_type,
)
from drawing import AS_TRAINED, PROMPTS, ROUNDING, SEEDS, distance, disturb, draw, draw_stock, stock
from full_size import full_size_sdxl
from safetensors.torch import load_file
from tiny import RESOLUTION, tiny_source
from tiny_sdxl import WIDTHS, tiny_sdxl_pipeline, tiny_sdxl_source

from imprint.errors import UserError
from imprint.models.families.sdxl import StableDiffusionXL, original_layout
from imprint.models.process import Flow
from imprint.training.encoding import encode_captions
from imprint.types import Geometry

WORD = "<toy>"


@pytest.fixture(scope="module")
def model(tiny_sdxl: Path) -> StableDiffusionXL:
    """Read only."""
    return tiny_sdxl_source(tiny_sdxl).load()


def start(vectors: int = 2) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {name: torch.randn(vectors, width, generator=generator) for name, width in WIDTHS.items()}


class TestPictures:
    @pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
    def test_they_are_those_of_the_stock_pipeline(self, prediction, tmp_path: Path) -> None:
        folder = tiny_sdxl_pipeline(tmp_path, prediction=prediction)
        assert distance(draw(tiny_sdxl_source(folder).load()), draw_stock(stock(folder))) <= ROUNDING

    @pytest.mark.parametrize("zeros", [True, False])
    def test_no_negative_prompt_is_what_the_checkpoint_says(self, zeros: bool, tmp_path: Path) -> None:
        folder = tiny_sdxl_pipeline(tmp_path, zeros_for_empty=zeros)
        ours = draw(tiny_sdxl_source(folder).load(), AS_TRAINED._replace(negative_prompt=""))
        pipeline = stock(folder)
        assert distance(ours, draw_stock(pipeline, None)) <= ROUNDING
        assert (distance(ours, draw_stock(pipeline, "")) <= ROUNDING) == (not zeros)

    def test_an_empty_prompt_is_a_text(self, model: StableDiffusionXL) -> None:
        said = model.encode_text(["", "a dog"], empty_is_unconditional=False)
        unsaid = model.encode_text(["", "a dog"], empty_is_unconditional=True)
        assert said["tokens"][0].any()
        assert not unsaid["tokens"][0].any()
        assert not unsaid["text_embeds"][0].any()
        assert torch.equal(said["tokens"][1], unsaid["tokens"][1])

    def test_sizes_and_crops_matter(self, model: StableDiffusionXL) -> None:
        noisy = torch.ones(2, *model.latent_shape(RESOLUTION, RESOLUTION))
        geometry = [Geometry.whole(32, 32), Geometry((480, 640), (0, 16), (32, 32))]
        told = {**encode_captions(model, ["a dog", "a dog"]), **model.encode_geometry(geometry)}
        first, second = model.denoise(noisy, torch.tensor([500, 500]), told)
        assert not torch.allclose(first, second)
        assert told["time_ids"].tolist() == [[32, 32, 0, 0, 32, 32], [480, 640, 0, 16, 32, 32]]

    def test_texts_are_encoded_as_by_the_stock_pipeline(self, model: StableDiffusionXL, tiny_sdxl: Path) -> None:
        tokens, _, summary, _ = stock(tiny_sdxl).encode_prompt(
            list(PROMPTS), device="cpu", do_classifier_free_guidance=False
        )
        told = encode_captions(model, PROMPTS)
        torch.testing.assert_close(told["tokens"], tokens)
        torch.testing.assert_close(told["text_embeds"], summary)


class TestFlow:
    """A checkpoint whose scheduler is one of flows."""

    @pytest.fixture(scope="class")
    def flow(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return tiny_sdxl_pipeline(tmp_path_factory.mktemp("flow"), prediction="flow")

    def test_its_noise_is_a_flow(self, flow: Path) -> None:
        facts = tiny_sdxl_source(flow).facts()
        assert (facts.prediction, facts.has_zero_terminal_snr, facts.timesteps) == ("flow", True, 1000)
        assert isinstance(tiny_sdxl_source(flow).load().process, Flow)

    @pytest.mark.parametrize("scheduler", ["model", "FlowMatchHeunDiscreteScheduler", "UniPCMultistepScheduler"])
    def test_its_pictures_are_repeatable_and_independent_of_their_batch(self, scheduler: str, flow: Path) -> None:
        model, sampler = tiny_sdxl_source(flow).load(), AS_TRAINED._replace(scheduler=scheduler)
        batch = draw(model, sampler)
        alone = [draw(model, sampler, [prompt], [seed])[0] for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]
        assert distance(batch, draw(model, sampler)) == 0
        assert distance(batch, alone) <= ROUNDING
        assert np.asarray(batch[0]).std() > 1

    def test_a_scheduler_of_diffusion_is_refused(self, flow: Path) -> None:
        model = tiny_sdxl_source(flow).load()
        with pytest.raises(UserError, match="no such scheduler for a model that predicts flow"):
            draw(model, AS_TRAINED._replace(scheduler="DDIMScheduler"))

    def test_the_network_is_given_timesteps(self, flow: Path) -> None:
        """As every UNet is, though times of a flow are shares of noise."""
        model = tiny_sdxl_source(flow).load()
        given = []
        model.unet.time_proj.register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
        draw(model, AS_TRAINED._replace(guidance=1.0))
        scheduler = model.scheduler("model")
        scheduler.set_timesteps(AS_TRAINED.steps)
        torch.testing.assert_close(torch.stack([own[0] for own in given]), scheduler.timesteps)

    def test_a_saved_pipeline_makes_the_same_pictures(self, flow: Path, tmp_path: Path) -> None:
        model = tiny_sdxl_source(flow).load()
        model.save_pipeline(tmp_path)
        assert distance(draw(model), draw(tiny_sdxl_source(tmp_path).load())) == 0

    @pytest.mark.parametrize("prediction", ["auto", "flow"])
    def test_a_model_with_the_usual_scheduler_may_predict_it(
        self, prediction: str, tiny_sdxl: Path, tmp_path: Path
    ) -> None:
        """By its configuration, or the user's: once it is written, the library's own pipeline draws with it, too."""
        folder = shutil.copytree(tiny_sdxl, tmp_path / "model")
        config = folder / "scheduler" / "scheduler_config.json"
        if prediction == "auto":
            config.write_text(json.dumps({**json.loads(config.read_text()), "prediction_type": "flow_prediction"}))
        model = tiny_sdxl_source(folder, prediction=prediction).load()
        assert isinstance(model.process, Flow)
        model.save_pipeline(tmp_path / "saved")
        pictures = draw(model)
        assert distance(pictures, draw(tiny_sdxl_source(tmp_path / "saved").load())) == 0
        assert distance(pictures, draw_stock(stock(tmp_path / "saved"))) <= ROUNDING


class TestAutoencoder:
    """Its numbers overflow in half precision."""

    def test_it_stays_in_float32_beside_half_precision(self, tiny_sdxl: Path) -> None:
        model = tiny_sdxl_source(tiny_sdxl).load()
        with torch.no_grad():
            model.vae.encoder.conv_in.weight.mul_(1e6)
        pictures = torch.rand(1, 3, RESOLUTION, RESOLUTION)
        expected = model.encode(pictures)
        model.cast_frozen(torch.float16)
        assert {weight.dtype for weight in model.vae.parameters()} == {torch.float32}
        assert {weight.dtype for weight in model.unet.parameters()} == {torch.float16}
        with torch.autocast("cpu", dtype=torch.float16):
            moments = model.encode(pictures)
        torch.testing.assert_close(moments.mean_BCHW, expected.mean_BCHW)
        assert model.decode(moments.mean_BCHW.clamp(-1, 1)).isfinite().all()

    def test_bfloat16_does_not_overflow(self, tiny_sdxl: Path) -> None:
        model = tiny_sdxl_source(tiny_sdxl).load()
        model.cast_frozen(torch.bfloat16)
        assert {weight.dtype for weight in model.vae.parameters()} == {torch.bfloat16}


class TestFiles:
    def test_a_saved_pipeline_makes_the_same_pictures(self, tiny_sdxl: Path, tmp_path: Path) -> None:
        model = tiny_sdxl_source(tiny_sdxl).load()
        for part in model.roles.values():
            disturb(part)
        model.save_pipeline(tmp_path / "saved")
        assert distance(draw(model), draw_stock(stock(tmp_path / "saved"))) <= ROUNDING
        assert distance(draw(model), draw(tiny_sdxl_source(tmp_path / "saved").load())) <= ROUNDING
        for part in ("text_encoder", "text_encoder_2"):
            before, after = (load_file(at / part / "model.safetensors") for at in (tiny_sdxl, tmp_path / "saved"))
            assert before.keys() == after.keys(), part

    def test_the_zeros_of_an_empty_prompt_are_saved(self, tmp_path: Path) -> None:
        source = tiny_sdxl_source(tiny_sdxl_pipeline(tmp_path / "source", zeros_for_empty=False))
        source.load().save_pipeline(tmp_path / "saved")
        assert stock(tmp_path / "saved").config.force_zeros_for_empty_prompt is False
        usual = tiny_sdxl_source(tiny_sdxl_pipeline(tmp_path / "usual"))
        assert source.facts().fingerprint != usual.facts().fingerprint

    def test_a_single_file_makes_the_same_pictures(self, tiny_sdxl: Path, tmp_path: Path) -> None:
        model, file = tiny_sdxl_source(tiny_sdxl).load(), tmp_path / "one.safetensors"
        for part in model.parts.values():
            disturb(part)
        model.formats["single_file"].write(file, torch.float32)
        pipeline = StableDiffusionXLPipeline.from_single_file(str(file), config=str(tiny_sdxl), local_files_only=True)
        assert distance(draw(model), draw_stock(pipeline)) <= ROUNDING
        again = tiny_sdxl_source(file, config=str(tiny_sdxl)).load()
        assert distance(draw(model), draw(again)) <= ROUNDING

    def test_a_single_file_says_that_it_predicts_v(self, tiny_sdxl: Path, tmp_path: Path) -> None:
        folder = tiny_sdxl_pipeline(tmp_path / "v", prediction="v_prediction")
        tiny_sdxl_source(folder).load().formats["single_file"].write(tmp_path / "v.safetensors", torch.float32)
        assert "v_pred" in load_file(tmp_path / "v.safetensors")
        # with the configurations of a model that predicts noise
        of_noise = tiny_sdxl_source(tmp_path / "v.safetensors", config=str(tiny_sdxl))
        assert of_noise.facts().prediction == "v_prediction"

    def test_the_real_networks_have_every_weight_in_the_file(self) -> None:
        parts = full_size_sdxl()
        tensors = original_layout(parts)
        assert infer_diffusers_model_type(tensors) == "xl_base"
        unet = convert_ldm_unet_checkpoint(dict(tensors), dict(parts["unet"].config))
        vae = convert_ldm_vae_checkpoint(dict(tensors), dict(parts["vae"].config))
        for part, converted in ((parts["unet"], unet), (parts["vae"], vae)):
            expected = {name: weight.numel() for name, weight in part.state_dict().items()}
            assert {name: weight.numel() for name, weight in converted.items()} == expected
        for name in (
            "model.diffusion_model.label_emb.0.2.weight",
            "model.diffusion_model.input_blocks.8.1.transformer_blocks.9.attn2.to_k.weight",
            "model.diffusion_model.output_blocks.2.2.conv.weight",
            "model.diffusion_model.middle_block.1.proj_in.weight",
            "conditioner.embedders.0.transformer.text_model.encoder.layers.11.mlp.fc2.weight",
            "conditioner.embedders.1.model.transformer.resblocks.31.attn.in_proj_weight",
            "conditioner.embedders.1.model.text_projection",
        ):
            assert name in tensors


class TestWords:
    def test_a_caption_sees_the_vectors_as_in_the_stock_pipeline(self, tiny_sdxl: Path) -> None:
        model, pipeline = tiny_sdxl_source(tiny_sdxl).load(), stock(tiny_sdxl)
        model.learn_word(WORD, start(), length=None)
        for name, (encoder, tokenizer) in tiny_sdxl_source(tiny_sdxl).facts().word_parts.items():
            pipeline.load_textual_inversion(
                start()[name],
                token=WORD,
                text_encoder=getattr(pipeline, encoder),
                tokenizer=getattr(pipeline, tokenizer),
            )
        prompt = f"a photo of {WORD} on the beach"
        tokens, _, summary, _ = pipeline.encode_prompt(prompt, device="cpu", do_classifier_free_guidance=False)
        told = encode_captions(model, [prompt])
        torch.testing.assert_close(told["tokens"], tokens)
        torch.testing.assert_close(told["text_embeds"], summary)

    def test_a_saved_pipeline_knows_the_word(self, tiny_sdxl: Path, tmp_path: Path) -> None:
        model = tiny_sdxl_source(tiny_sdxl).load()
        model.learn_word(WORD, start(), length=None)
        model.save_pipeline(tmp_path / "saved")
        saved = tiny_sdxl_source(tmp_path / "saved").load()
        captions = [f"a {WORD}", "a dog"]
        for name, value in encode_captions(model, captions).items():
            torch.testing.assert_close(encode_captions(saved, captions)[name], value)

    def test_a_word_of_another_kind_of_model_is_refused(self, tiny_sdxl: Path) -> None:
        model = tiny_sdxl_source(tiny_sdxl).load()
        with pytest.raises(UserError, match="vectors for clip_l, this model wants them for clip_l, clip_g"):
            model.learn_word(WORD, {"clip_l": start()["clip_l"]}, length=None)


class TestRefusals:
    def test_a_stable_diffusion_folder(self, tiny_sd: Path) -> None:
        with pytest.raises(UserError, match="holds a StableDiffusionPipeline"):
            tiny_sdxl_source(tiny_sd).facts()

    def test_a_stable_diffusion_file(self, tiny_sd: Path, tiny_sdxl: Path, tmp_path: Path) -> None:
        file = tmp_path / "one.safetensors"
        tiny_source(tiny_sd).load().formats["single_file"].write(file, torch.float32)
        with pytest.raises(UserError, match=r"Stable Diffusion 1\.x and 2\.x model.*holds Stable Diffusion XL"):
            tiny_sdxl_source(file, config=str(tiny_sdxl)).facts()

    def test_its_file_for_stable_diffusion(self, tiny_sdxl: Path, tiny_sd: Path, tmp_path: Path) -> None:
        file = tmp_path / "one.safetensors"
        tiny_sdxl_source(tiny_sdxl).load().formats["single_file"].write(file, torch.float32)
        with pytest.raises(UserError, match="this is a Stable Diffusion XL model"):
            tiny_source(file, config=str(tiny_sd)).facts()
