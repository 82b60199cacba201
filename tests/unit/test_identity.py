"""A run's name stands for what changes its result, and for nothing else."""

import copy
import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig
from PIL import Image
from safetensors.torch import load_file, save_file
from small_runs import configure, draw_pictures

from imprint.planning.prepare import prepare

Identify = Callable[..., str]
GROUPS = ("trainer", "report", "samples", "optimizer", "objective", "prior")


@pytest.fixture
def identify(tiny_sd: Path, tmp_path: Path) -> Identify:
    """The signature of a run on copies that a test may change."""
    shutil.copytree(tiny_sd, tmp_path / "model")
    photos = draw_pictures(tmp_path / "photos")
    (photos / "0.txt").write_text("a {identifier} {noun}")
    draw_pictures(tmp_path / "class", count=2, size=(50, 50))

    def signature(*settings: str, photos: str = "photos", model: str = "model", outputs: str = "runs") -> str:
        places = [
            f"model.source={tmp_path / model}",
            f"dataset.path={tmp_path / photos}",
            f"outputs={tmp_path / outputs}",
        ]
        choices = tuple(setting for setting in settings if setting.partition("=")[0] in GROUPS)
        cfg = copy.deepcopy(_composed(choices))
        cfg.merge_with_dotlist([*places, *(setting for setting in settings if setting not in choices)])
        return prepare(cfg).run.signature

    return signature


@functools.cache
def _composed(choices: tuple[str, ...]) -> DictConfig:
    """Composing takes longer than all the rest."""
    return configure(Path("model"), Path("photos"), Path("runs"), *choices)


@pytest.mark.parametrize(
    "settings",
    [
        ["trainer.accumulation=1", "trainer.workers=2", "trainer.cache=false", "trainer.gradient_checkpointing=true"],
        ["trainer=ddp", "hparams.batch_size=1", "trainer.devices=1"],
        ["trainer=fsdp", "hparams.batch_size=1", "trainer.devices=1"],
        ["trainer.checkpoint_every=1", "trainer.compile=true", "trainer.accelerator=auto"],
        ["report=default", "report.every=7"],
        ["samples=default", "samples.seeds=[4]"],
        ["model.sampler.steps=9", "model.sampler.scheduler=EulerDiscreteScheduler"],
        ["name=another"],
        ["hparams.clip=1"],
        ["optimizer.weight_decay=0.01", "hparams.steps=6"],
        ["dataset.bad_pictures=skip"],
        ["dataset.holdout=0", "dataset.kind=live", "dataset.subject=rex"],
    ],
    ids=lambda settings: settings[0],
)
def test_what_changes_no_result(settings: list[str], identify: Identify) -> None:
    assert identify(*settings) == identify()


@pytest.mark.parametrize(
    "setting",
    [
        "method.lr=2e-3",
        "method.text_lr=2e-3",
        "method.roles=[denoiser,text]",
        "method.templates=['{identifier}']",
        "seed=1",
        "hparams.steps=7",
        "hparams.batch_size=2",
        "hparams.precision=bf16-mixed",
        "hparams.clip=null",
        "hparams.ema=0.9",
        "hparams.rate.name=cosine",
        "optimizer=sgd",
        "optimizer.weight_decay=0.02",
        "objective=min_snr",
        "objective.noise_offset=0.1",
        "objective.timesteps=[0,999]",
        "dataset.identifier=ktn",
        "dataset.class_noun=cat",
        "dataset.captions=template",
        "dataset.crop=random",
        "dataset.flip=true",
        "dataset.holdout=1",
        "dataset.background=black",
        "model.resolution=40",
        "model.prediction=v_prediction",
        "prior=generated",
        "prior=base_prediction",
    ],
)
def test_what_changes_a_result(setting: str, identify: Identify) -> None:
    assert identify(setting) != identify()


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ("prior.weight=0.5", True),
        ("prior.prompt='{noun}'", True),
        ("prior.count=3", True),
        ("prior.seed=1", True),
        ("model.sampler.guidance=3", True),  # class pictures are drawn with it
        ("prior.weight=1", False),
        ("prior.batch_size=2", False),
    ],
)
def test_settings_of_a_generated_prior(settings: str, changes: bool, identify: Identify) -> None:
    assert (identify("prior=generated", settings) != identify("prior=generated")) == changes


def test_a_prior_folder_is_known_by_its_pictures(identify: Identify, tmp_path: Path) -> None:
    def with_class() -> str:
        return identify("prior=folder", f"prior.path={tmp_path}/class")

    before = with_class()
    (tmp_path / "class").rename(tmp_path / "moved")
    assert identify("prior=folder", f"prior.path={tmp_path}/moved") == before
    (tmp_path / "moved").rename(tmp_path / "class")
    _touch_a_pixel(tmp_path / "class" / "1.png")
    assert with_class() != before


def test_places_do_not_matter(identify: Identify, tmp_path: Path) -> None:
    before = identify()
    shutil.copytree(tmp_path / "photos", tmp_path / "elsewhere")
    shutil.copytree(tmp_path / "model", tmp_path / "other")
    assert identify(photos="elsewhere", model="other", outputs="out") == before


def test_it_is_the_same_run_under_another_name(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    """Also under one of a release before, which called all runs of folders alike."""
    asked = prepare(configure(tiny_sd, pictures, tmp_path)).run
    former = tmp_path / f"folder-lora-sd-{asked.signature}"
    former.mkdir()
    assert prepare(configure(tiny_sd, pictures, tmp_path)).run.folder == former
    asked.folder.mkdir()
    assert prepare(configure(tiny_sd, pictures, tmp_path)).run.folder == asked.folder


def test_one_changed_pixel_matters(identify: Identify, tmp_path: Path) -> None:
    before = identify()
    _touch_a_pixel(tmp_path / "photos" / "2.png")
    assert identify() != before


def test_a_changed_caption_matters_where_it_is_used(identify: Identify, tmp_path: Path) -> None:
    before, unused = identify(), identify("dataset.captions=template")
    (tmp_path / "photos" / "0.txt").write_text("the {identifier} {noun}")
    assert identify() != before
    assert identify("dataset.captions=template") == unused


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_one_changed_weight_of_the_model_matters(part: str, identify: Identify, tmp_path: Path) -> None:
    before = identify()
    [file] = (tmp_path / "model" / part).glob("*.safetensors")
    weights = load_file(file)
    next(iter(weights.values())).view(-1)[0] += 1
    save_file(weights, file, metadata={"format": "pt"})
    assert identify() != before


def test_a_number_is_the_same_however_it_is_written(identify: Identify) -> None:
    assert identify("hparams.clip=2") == identify("hparams.clip=2.0")
    assert identify("method.lr=0.001") == identify("method.lr=1e-3")
    assert identify("hparams.clip=2") != identify("hparams.clip=2.5")


def _touch_a_pixel(file: Path) -> None:
    picture = Image.open(file).copy()
    picture.putpixel((0, 0), (1, 2, 3))
    picture.save(file)
