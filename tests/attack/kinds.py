"""What is attacked: commands, and when they are killed. Each is small enough for a training of some seconds."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from imprint.partial_files import NAME

QUICK = [
    "report=local",
    "report.progress=off",
    "trainer.accelerator=cpu",
    "model.sampler.steps=3",
    "hparams.batch_size=2",
    "hparams.steps=12",
    "trainer.checkpoint_every=3",
    "samples.prompts=['a {identifier} {noun}']",
    "samples.seeds=[0]",
    "samples.every=6",
]
SCORED = [
    "evaluation=quick",
    "+encoders@model.encoders=mini",
    "evaluation.pictures.subject.images=2",
    "evaluation.pictures.subject.numbers=[0,1]",
]
LORA = ["method=lora", "method.lr=1e-3"]
# A cluster of the tests' own has no memory and no GPUs to give.
POOR = [
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.gpus_per_node=null",
    "hydra.launcher.mem_gb=null",
]
# The built-in model's result and checkpoint are some megabytes, written in milliseconds.
WRITING = 0.06  # seconds

Victim = Literal["program", "any"]  # the process that was started; it or one of its descendants, by chance
Equal = Literal["bytes", "rounding"]


class Place(NamedTuple):
    """Of one attack."""

    outputs: Path
    cache: Path


class Moment(NamedTuple):
    """When the process is killed: `delay` seconds after `come`, said as `text`."""

    come: Callable[[], bool]
    delay: float
    text: str


Choose = Callable[[random.Random, Place, float], Moment]  # the last is the seconds of an uninterrupted program


@dataclass(frozen=True)
class Kind:
    name: str
    about: str
    arguments: tuple[str, ...]
    choose: Choose
    victim: Victim = "program"
    equal: Equal = "bytes"
    needs: Literal["", "slurm", "disk"] = ""


def at_any_time(chance: random.Random, place: Place, seconds: float) -> Moment:
    delay = chance.uniform(0.0, seconds)
    return Moment(lambda: True, delay, f"{delay:.2f} s after the start")


def while_saving(chance: random.Random, place: Place, seconds: float) -> Moment:
    """Of a checkpoint, the result, the manifest, metrics or a picture, as chance has it."""
    wanted, delay = chance.randrange(1, 9), chance.uniform(0.0, WRITING)
    seen: set[Path] = set()

    def come() -> bool:
        seen.update(_being_written(place.outputs))
        return len(seen) >= wanted

    return Moment(come, delay, f"{1000 * delay:.0f} ms after file {wanted} was begun")


def while_drawing_class_pictures(chance: random.Random, place: Place, seconds: float) -> Moment:
    wanted, delay = chance.randrange(0, 12), chance.uniform(0.0, 0.2)

    def come() -> bool:
        return place.cache.is_dir() and len(list(place.cache.glob("class_images/*/*.png"))) >= wanted

    return Moment(come, delay, f"{1000 * delay:.0f} ms after {wanted} class pictures")


def while_scoring(chance: random.Random, place: Place, seconds: float) -> Moment:
    delay = chance.uniform(0.0, seconds / 3)

    def come() -> bool:
        return any('"finished":' in _text(file) for file in place.outputs.glob("*/manifest.json"))

    return Moment(come, delay, f"{delay:.2f} s after the training")


def never(chance: random.Random, place: Place, seconds: float) -> Moment:
    return Moment(lambda: False, 0.0, "not at all")


def _being_written(outputs: Path) -> Iterator[Path]:
    for pattern in ("*", "*/*", "*/samples/*/*"):
        with suppress(OSError):  # of folders that are gone before they are read
            yield from (path for path in outputs.glob(pattern) if NAME.fullmatch(path.name))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return ""


def wait(moment: Moment, is_alive: Callable[[], bool]) -> bool:
    """Whether it came while the process was alive."""
    while is_alive():
        if moment.come():
            end = time.monotonic() + moment.delay
            while is_alive() and time.monotonic() < end:
                time.sleep(0.001)
            return is_alive()
        time.sleep(0.001)
    return False


def _grid(launcher: str, *axes: str) -> tuple[str, ...]:
    small = [each for each in QUICK if not each.startswith("samples.")]
    return ("-m", *small, "samples=none", f"hydra/launcher={launcher}", "sweep.name=attacked", *axes)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("training", "DreamBooth, at any time from its start to its end", (*QUICK, *SCORED), at_any_time),
        Kind("saving", "DreamBooth, while a file is being written", tuple(QUICK), while_saving),
        Kind(
            "class pictures",
            "DreamBooth with a prior, while class pictures are drawn",
            (*QUICK, "prior=generated", "prior.count=12", "prior.batch_size=2"),
            while_drawing_class_pictures,
        ),
        Kind("evaluation", "LoRA, while its result is scored", (*QUICK, *SCORED, *LORA), while_scoring),
        Kind(
            "grid in turn", "three points of DreamBooth, one after another", _grid("stacked", "seed=0,1,2"), at_any_time
        ),
        Kind(
            "grid side by side",
            "three points of LoRA in one batch",
            _grid("stacked", *SCORED, *LORA, "seed=0,1,2"),
            at_any_time,
            equal="rounding",
        ),
        Kind("grid joblib", "two points of LoRA, in processes", _grid("joblib", *LORA, "seed=0,1"), at_any_time, "any"),
        Kind(
            "grid submitit_local",
            "two points of LoRA, in processes",
            _grid("submitit_local", *LORA, "seed=0,1"),
            at_any_time,
            "any",
        ),
        Kind(
            "grid slurm",
            "two points of LoRA, as jobs of a cluster",
            _grid("slurm", *LORA, "seed=0,1", *POOR),
            at_any_time,
            "any",
            needs="slurm",
        ),
        Kind(
            "two devices",
            "LoRA with trainer=ddp, two processes",
            (*QUICK[:-3], *LORA, "samples=none", "trainer=ddp", "trainer.devices=2"),
            at_any_time,
            "any",
        ),
        Kind("full disk", "DreamBooth on a disk of a size that is too small", (*QUICK, *SCORED), never, needs="disk"),
    )
}
