"""Whole runs on tiny models: seconds each, through the code that drives real ones."""

import csv
from collections.abc import Sequence
from pathlib import Path

import yaml
from composed import compose
from families import FAMILIES, choice_of
from omegaconf import DictConfig
from PIL import Image, ImageDraw

from imprint.config import conf_folder, resolved
from imprint.construct import Constructor
from imprint.evaluation.profile import Profile
from imprint.runs import Run

METHODS = sorted(  # of conf/, of which each new one is found
    file.stem
    for file in (conf_folder() / "method").glob("*.yaml")
    if "_target_" in yaml.safe_load(file.read_text(encoding="utf-8"))
)
SETTINGS = [
    "model.resolution=32",
    "model.sampler.steps=2",
    "dataset=folder",
    "dataset.class_noun=dog",
    "dataset.identifier=sks",
    "hparams.steps=6",
    "samples=none",
    "report=local",
    "report.progress=off",
    "report.every=1",
    "trainer.accelerator=cpu",
    "trainer.checkpoint_every=2",
    "trainer.memory=null",
]
# Rates at which a few steps are seen in the losses.
RATE = ["method.lr=1e-3"]
RATES = {
    "method=pivotal": ["method.network.lr=1e-3", "method.words.lr=1e-3"]
}  # for methods without a rate of their own


def overrides(model: Path, pictures: Path, outputs: Path, *more: str) -> list[str]:
    """What `imprint train` is given for a run of a few steps."""
    rates = next((rates for method, rates in RATES.items() if method in more), RATE)
    choice = choice_of(model) if model.is_dir() else "sd"
    return [
        f"model={choice}",
        *SETTINGS,
        *FAMILIES[choice].settings,
        *rates,
        f"model.source={model}",
        f"dataset.path={pictures}",
        f"outputs={outputs}",
        *more,
    ]


def configure(model: Path, pictures: Path, outputs: Path, *more: str) -> DictConfig:
    return compose("train", overrides(model, pictures, outputs, *more))


def draw_pictures(folder: Path, count: int = 3, size: tuple[int, int] = (40, 40)) -> Path:
    """Pictures that differ, on a plain ground."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        picture = Image.new("RGB", size, (40 * index, 120, 200 - 50 * index))
        ImageDraw.Draw(picture).ellipse((6 + 2 * index, 8, 26, 30), fill=(220, 60 * index, 40))
        picture.save(folder / f"{index}.png")
    return folder


def draw_masks(folder: Path, *, left_out: int = 0) -> Path:
    """A mask beside each picture that `draw_pictures` drew, but for the last ones."""
    files = sorted(folder.glob("*.png"))
    for index, file in enumerate(files[: len(files) - left_out]):
        with Image.open(file) as picture:
            mask = Image.new("L", picture.size)
        ImageDraw.Draw(mask).ellipse((6 + 2 * index, 8, 26, 30), fill=255)
        mask.save(folder / f"{file.stem}.mask.png")
    return folder


def metrics(run: Run) -> list[dict[str, float]]:
    """The rows of metrics.csv."""
    with run.metrics.open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def losses(run: Run) -> list[float]:
    """The total loss of every step."""
    rows = metrics(run)
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["loss"] for row in rows]


def only_run(outputs: Path) -> Run:
    runs: Sequence[Path] = sorted(file.parent for file in outputs.glob("*/manifest.json"))
    assert len(runs) == 1, runs
    return Run.open(runs[0])


def composed_profile(name: str, *settings: str) -> Profile:
    """A profile of `conf/evaluation`."""
    cfg = resolved(compose("evaluate", [f"evaluation={name}", *settings]))
    constructor = Constructor()
    profile: Profile | None = constructor.build(cfg["evaluation"], "evaluation")
    assert profile is not None, constructor.problems
    return profile
