"""The x4 upscaler: it draws as the stock pipeline does, and learns from pairs that its configuration describes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionUpscalePipeline
from drawing import FACTOR, PROMPTS, ROUNDING, SEEDS, distance, draw, low_picture, stock
from families import load_tiny
from lessons import CPU, assembled, batches
from PIL import Image
from rounding import near_tensors
from small_runs import configure, draw_pictures
from tiny import RESOLUTION, tiny_source
from tiny_sd_upscaler import FROM_PHOTOS, LEVEL, tiny_sd_upscaler_pipeline, tiny_sd_upscaler_source
from torch.nn import functional

from imprint import rng
from imprint.errors import ConfigError, UserError
from imprint.models.families.sd_upscaler import SDUpscaler
from imprint.models.low_side import LowSide
from imprint.planning.prepare import prepare
from imprint.reporting.sample_index import read_samples
from imprint.training.encoding import encode_captions, encode_low_sides, sample_latents
from imprint.training.module import TrainingModule
from imprint.types import Batch, Losses, LowRes, Sampler, Tiles
from imprint.verbs.train import train

SPREAD = {"height": RESOLUTION, "width": 2 * RESOLUTION}
GUIDED = [(3.0, "a cat"), (1.0, "")]


@pytest.fixture(scope="module")
def folder(tiny_folder: Callable[[str], Path]) -> Path:
    return tiny_folder("sd_upscaler")


@pytest.fixture(scope="module")
def model(folder: Path) -> SDUpscaler:
    """Read only."""
    loaded = tiny_sd_upscaler_source(folder).load()
    assert isinstance(loaded, SDUpscaler)
    return loaded


def wide_picture() -> Image.Image:
    whole = Image.new("RGB", (2 * RESOLUTION // FACTOR, RESOLUTION // FACTOR), "olive")
    whole.paste(low_picture().rotate(90))
    return whole


class TestDrawing:
    @pytest.mark.parametrize(("guidance", "negative"), GUIDED)
    @pytest.mark.parametrize("level", [0, 100])
    def test_pictures_are_those_of_the_stock_pipeline(
        self, guidance: float, negative: str, level: int, model: SDUpscaler, folder: Path
    ) -> None:
        pipeline = stock(folder)
        pipeline.set_progress_bar_config(disable=True)
        theirs = [
            pipeline(
                prompt=prompt,
                image=[wide_picture()],
                noise_level=level,
                num_inference_steps=3,
                guidance_scale=guidance,
                negative_prompt=negative,
                generator=torch.Generator().manual_seed(seed),
            ).images[0]
            for prompt, seed in zip(PROMPTS, SEEDS, strict=True)
        ]
        sampler, low = Sampler("model", 3, guidance, negative), LowRes([wide_picture()] * 2, level)
        assert distance(model.generate(PROMPTS, SEEDS, sampler=sampler, low_res=low, **SPREAD), theirs) <= ROUNDING

    def test_an_autoencoder_with_two_pixels_a_cell_doubles(self, tmp_path: Path) -> None:
        folder = tiny_sd_upscaler_pipeline(tmp_path, factor=2)
        source = tiny_sd_upscaler_source(folder)
        assert source.facts().upscaling == (2, LEVEL, 350)
        low = low_picture().resize((RESOLUTION // 2, RESOLUTION // 2))
        pipeline = stock(folder)
        pipeline.set_progress_bar_config(disable=True)
        told = {"image": [low], "noise_level": LEVEL, "num_inference_steps": 2, "guidance_scale": 1.0}
        theirs = pipeline(prompt="a dog", generator=torch.Generator().manual_seed(5), **told).images
        sampler, size = Sampler("model", 2, 1.0, ""), {"height": RESOLUTION, "width": RESOLUTION}
        ours = source.load().generate(["a dog"], [5], sampler=sampler, low_res=LowRes([low], None), **size)
        assert distance(ours, theirs) <= ROUNDING

    def test_a_picture_depends_on_what_it_enlarges_on_the_level_and_not_on_its_batch(self, model: SDUpscaler) -> None:
        sampler = Sampler("DDPMScheduler", 3, 3.0, "")  # whose steps add noise
        lows = [low_picture(), low_picture().rotate(180)]
        size = {"height": RESOLUTION, "width": RESOLUTION}

        def drawn(pictures: list[Image.Image], level: int | None = None) -> list[Image.Image]:
            count = len(pictures)
            low = LowRes(pictures, level)
            return model.generate(["a dog"] * count, [5] * count, sampler=sampler, low_res=low, **size)

        both = drawn(lows)
        assert distance(both, [drawn([low])[0] for low in lows]) <= ROUNDING
        assert distance(both[:1], both[1:]) > 5 * ROUNDING
        assert distance(both[:1], drawn(lows[:1], LEVEL)) <= ROUNDING
        assert distance(both[:1], drawn(lows[:1], 350)) > 5 * ROUNDING

    def test_in_tiles_each_sees_its_part_of_the_low_picture(self, model: SDUpscaler) -> None:
        sampler, low = Sampler("model", 3, 3.0, "a cat"), LowRes([wide_picture()], 0)

        def drawn(tiles: Tiles | None) -> list[Image.Image]:
            return model.generate(["a dog"], [5], sampler=sampler, low_res=low, tiles=tiles, **SPREAD)

        assert distance(drawn(Tiles(2 * RESOLUTION, 16, 1)), drawn(None)) <= ROUNDING
        apart = drawn(Tiles(RESOLUTION, 16, 1))
        assert distance(apart, drawn(Tiles(RESOLUTION, 16, 4))) <= ROUNDING
        other = LowRes([wide_picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT)], 0)
        flipped = model.generate(
            ["a dog"], [5], sampler=sampler, low_res=other, tiles=Tiles(RESOLUTION, 16, 2), **SPREAD
        )
        assert distance(apart, flipped) > 5 * ROUNDING

    def test_without_a_picture_or_with_one_of_another_size_it_says_what_it_needs(self, model: SDUpscaler) -> None:
        sampler, size = Sampler("model", 2, 1.0, ""), {"height": RESOLUTION, "width": RESOLUTION}
        with pytest.raises(UserError, match="draws none from a prompt alone. Give it one"):
            model.generate(["a dog"], [0], sampler=sampler, **size)
        for low, reason in (
            (LowRes([wide_picture()], 0), "16 x 8 pixels does not become 32 x 32"),
            (LowRes([low_picture()], 351), "level=351: this model knows levels of noise from 0 to 350"),
        ):
            with pytest.raises(UserError, match=reason):
                model.generate(["a dog"], [0], sampler=sampler, low_res=low, **size)

    def test_other_models_enlarge_nothing(self, tiny_sd: Path) -> None:
        other, size = tiny_source(tiny_sd).load(), {"height": RESOLUTION, "width": RESOLUTION}
        with pytest.raises(UserError, match="It is no upscaler"):
            other.generate(["a dog"], [0], sampler=other.sampler, low_res=LowRes([low_picture()], 0), **size)


class TestPairs:
    def test_the_low_side_is_the_mean_of_squares(self) -> None:
        pixels = torch.rand(2, 3, 8, 12, generator=torch.Generator().manual_seed(0)) * 2 - 1
        low = LowSide.of_settings(FROM_PHOTOS, 4).of(pixels)
        assert low.shape == (2, 3, 2, 3)
        torch.testing.assert_close(low[1, 2, 1, 2], pixels[1, 2, 4:8, 8:12].mean())

    @pytest.mark.parametrize("family", ["sd", "sana", "flux2"])
    def test_it_passes_through_the_autoencoder_of_any_family(
        self, family: str, tiny_folder: Callable[[str], Path]
    ) -> None:
        base = tiny_folder(family)
        side = LowSide.of_settings({"from": "autoencoder", "base": str(base), "level": 0}, 4)
        pixels = torch.rand(1, 3, 4 * RESOLUTION, 4 * RESOLUTION, generator=torch.Generator().manual_seed(0)) * 2 - 1
        own = load_tiny(base)
        with torch.no_grad():
            expected = own.decode(own.encode(functional.avg_pool2d(pixels, 4)).mean_BCHW)
        torch.testing.assert_close(side.of(pixels), expected)
        assert side.of(pixels[..., :40, :36]).shape == (1, 3, 10, 9)

    def test_a_loss_is_the_one_that_a_few_lines_compute(self, folder: Path, pictures: Path, tmp_path: Path) -> None:
        """With the stock pipeline's own parts, and the noise by its names."""
        settings = ["hparams.batch_size=2", "dataset.flip=true", "dataset.caption_dropout=0.3"]
        module = assembled(configure(folder, pictures, tmp_path, *settings))
        pipeline = stock(folder)
        batch = next(batches(module))
        seed, objective = module.task.seed, module.task.objective
        latents = sample_latents(module.model, batch, module.latents, seed=seed, device=CPU)
        noise = objective.sample_noise(seed, batch.ids, latents.shape[1:])
        t = objective.sample_timesteps(seed, batch.ids, module.model.process, latents.shape[1:])
        stream = module.task.feed.stream
        views = {view.key: stream.pixels_of(view) for view in stream.views()}
        low = torch.stack([functional.avg_pool2d(views[key], FACTOR) for key in batch.keys])
        low_noise = rng.normal([(seed, "low resolution", name) for name in batch.ids], low.shape[1:])
        level = torch.full((2,), LEVEL)
        seen = pipeline.low_res_scheduler.add_noise(low, low_noise, level)
        with torch.no_grad():
            predicted = pipeline.unet(
                torch.cat([pipeline.scheduler.add_noise(latents, noise, t), seen], dim=1),
                t,
                encoder_hidden_states=encode_captions(module.model, batch.captions)["tokens"],
                class_labels=level,
            ).sample
            expected = (predicted - pipeline.scheduler.get_velocity(latents, noise, t)).square().mean()
            assert near_tensors([module.losses(batch).total], [expected])

    def test_kept_low_sides_are_those_of_the_pictures(self, folder: Path, pictures: Path, tmp_path: Path) -> None:
        told = []
        for kept in ("true", "false"):
            module = assembled(configure(folder, pictures, tmp_path, "dataset.flip=true", f"trainer.cache={kept}"))
            batch = next(batches(module))
            assert (batch.pixels_BCHW is None) == (kept == "true")
            told.append(encode_low_sides(module.model, batch, module.latents, seed=0, device=CPU))
        torch.testing.assert_close(told[0]["low_res"], told[1]["low_res"])

    def test_how_they_are_made_is_a_part_of_the_runs_identity(
        self, folder: Path, pictures: Path, tiny_sd: Path, tiny_folder: Callable[[str], Path], tmp_path: Path
    ) -> None:
        elsewhere = shutil.copytree(tiny_sd, tmp_path / "elsewhere")

        def name(*settings: str) -> str:
            return prepare(configure(folder, pictures, tmp_path, *settings)).run.folder.name

        through = "model.low_res.from=autoencoder"
        kinds = [
            name(),
            name("model.low_res.level=0"),
            name(through, f"model.low_res.base={tiny_sd}"),
            name(through, f"model.low_res.base={tiny_folder('sdxl')}"),
        ]
        assert len(set(kinds)) == len(kinds)
        assert name(through, f"model.low_res.base={elsewhere}") == kinds[2]

    def test_samples_enlarge_the_views_that_are_learned_from(
        self, folder: Path, pictures: Path, tmp_path: Path
    ) -> None:
        samples = ["samples=default", "samples.prompts=['a {identifier} {noun}']", "samples.seeds=[0,1]"]
        more = ["hparams.steps=1", "model.low_res.from=autoencoder", f"model.low_res.base={folder}"]
        run = train(configure(folder, pictures, tmp_path, *samples, *more))
        entries = read_samples(run)
        assert [(entry.step, entry.seed) for entry in entries] == [(0, 0), (0, 1), (1, 0), (1, 1)]
        with Image.open(run.samples / entries[0].file) as drawn:
            assert drawn.size == (RESOLUTION, RESOLUTION)

    @pytest.mark.parametrize("kept", [True, False])
    def test_what_low_sides_pass_through_is_in_memory_only_while_they_are_made(
        self, kept: bool, folder: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there: list[bool] = []
        before = TrainingModule.losses

        def losses(self: TrainingModule, batch: Batch) -> Losses:
            own = before(self, batch)
            assert self.model.low_side
            assert self.model.low_side.autoencoder
            there.append(self.model.low_side.autoencoder.is_there)
            return own

        monkeypatch.setattr(TrainingModule, "losses", losses)
        samples = ["samples=default", "samples.prompts=['a {identifier} {noun}']", "samples.seeds=[0]"]
        through = ["model.low_res.from=autoencoder", f"model.low_res.base={folder}", f"trainer.cache={kept}"]
        fixed = ["hparams.steps=2", "samples.every=1"]
        train(configure(folder, pictures, tmp_path, *samples, *through, *fixed))
        assert there == [not kept] * 2


class TestRefusals:
    def test_what_cannot_teach_an_upscaler_is_said_at_once(self, folder: Path, tmp_path: Path) -> None:
        pictures = draw_pictures(tmp_path / "pictures", 2)
        Image.new("RGB", (RESOLUTION - 1, 40), "red").save(pictures / "small.png")
        settings = ["method=lora", "method.roles=[denoiser,text]", "prior=generated", "evaluation=quick"]
        with pytest.raises(ConfigError) as told:
            prepare(configure(folder, pictures, tmp_path / "runs", *settings))
        for reason in (
            "method.roles=['denoiser', 'text']: what an upscaler adds comes from the picture beside the words",
            "prior='generated': an upscaler draws no pictures of a class",
            "evaluation='quick': its pictures are drawn from prompts alone, and an upscaler needs one to enlarge",
            "model.resolution=32: small.png would have to be enlarged to that",
        ):
            assert reason in str(told.value)

    def test_small_pictures_of_the_class_are_too(self, folder: Path, pictures: Path, tmp_path: Path) -> None:
        draw_pictures(tmp_path / "class", 2, (20, 20))
        with pytest.raises(ConfigError, match="0.png, 1.png would have to be enlarged"):
            prepare(configure(folder, pictures, tmp_path, "prior=folder", f"prior.path={tmp_path / 'class'}"))

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            (["model.low_res.from=autoencoder"], "model.low_res.base=null: whose autoencoder"),
            (["model.low_res.base=somewhere"], "the low side is made of photos alone"),
            (["model.low_res.level=351"], "model.low_res.level=351: this model knows levels of noise from 0 to 350"),
            (
                ["model.low_res.from=autoencoder", "model.low_res.base=./nothing"],
                r"model.low_res.base='./nothing': .*vae/config.json is not there",
            ),
        ],
    )
    def test_wrong_pairs_are_named_by_their_key(
        self, settings: list[str], reason: str, folder: Path, pictures: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(ConfigError, match=reason):
            prepare(configure(folder, pictures, tmp_path, *settings))

    @pytest.mark.parametrize(
        ("part", "changed", "reason"),
        [
            ("unet", {"in_channels": 4}, "takes 4 channels; that of an upscaler takes the 4 of a latent and 3"),
            ("unet", {"num_class_embeds": None}, "is not told how much noise the low picture has"),
            ("vae", {"scaling_factor": 0.18215}, r"sets 0\.08333: write that into vae/config.json"),
            ("unet", {"cross_attention_dim": 99}, "expects 99 text features, its text encoder gives 16"),
        ],
    )
    def test_parts_of_other_models_are_refused(
        self, part: str, changed: dict[str, object], reason: str, folder: Path, tmp_path: Path
    ) -> None:
        copied = shutil.copytree(folder, tmp_path / "model")
        config = copied / part / "config.json"
        config.write_text(json.dumps({**json.loads(config.read_text(encoding="utf-8")), **changed}), encoding="utf-8")
        with pytest.raises(UserError, match=reason):
            tiny_sd_upscaler_source(copied).facts()

    def test_a_folder_without_the_schedule_of_the_low_pictures_is_refused(self, folder: Path, tmp_path: Path) -> None:
        copied = shutil.copytree(folder, tmp_path / "model")
        shutil.rmtree(copied / "low_res_scheduler")
        with pytest.raises(UserError, match="lacks low_res_scheduler/scheduler_config.json"):
            tiny_sd_upscaler_source(copied).facts()


class TestFiles:
    @pytest.fixture(scope="class")
    def file(self, model: SDUpscaler, tmp_path_factory: pytest.TempPathFactory) -> Path:
        file = tmp_path_factory.mktemp("file") / "upscaler.safetensors"
        model.formats["single_file"].write(file, torch.float32)
        return file

    def test_a_single_file_draws_the_same_and_opens_in_the_stock_pipeline(
        self, file: Path, model: SDUpscaler, folder: Path
    ) -> None:
        assert distance(draw(tiny_sd_upscaler_source(file, config=str(folder)).load()), draw(model)) == 0
        pipeline = StableDiffusionUpscalePipeline.from_single_file(str(file), config=str(folder), local_files_only=True)
        ours = model.unet.state_dict()
        assert all(torch.equal(weight, ours[name]) for name, weight in pipeline.unet.state_dict().items())

    def test_it_is_no_text_to_image_model_and_one_of_those_no_upscaler(
        self, file: Path, folder: Path, tiny_sd: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(UserError, match="this is a Stable Diffusion x4 upscaler model"):
            tiny_source(file, config=str(tiny_sd)).facts()
        other = tmp_path / "sd.safetensors"
        tiny_source(tiny_sd).load().formats["single_file"].write(other, torch.float32)
        with pytest.raises(UserError, match=r"this is a Stable Diffusion 1\.x and 2\.x model"):
            tiny_sd_upscaler_source(other, config=str(folder)).facts()

    def test_a_saved_pipeline_draws_the_same(self, model: SDUpscaler, tmp_path: Path) -> None:
        model.save_pipeline(tmp_path)
        assert distance(draw(tiny_sd_upscaler_source(tmp_path).load()), draw(model)) == 0
        assert stock(tmp_path).config.max_noise_level == 350
