"""trainer=fsdp: a run whose weights two processes share is that of one process, whatever it does on the way."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from composed import compose
from launched import PROGRAM
from launched import train as launched
from leftovers import left_in
from rounding import near, near_weights
from safetensors.torch import load_file
from small_runs import METHODS, configure, losses, metrics, only_run, overrides
from two_processes import Stopped, stopping_at, train_on_two

from imprint.runs import Run
from imprint.training.callbacks import FiniteLoss
from imprint.verbs.train import train

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sharded")]

SHARED = ["trainer=fsdp"]
SETTINGS = ["hparams.batch_size=2", "hparams.steps=5", "seed=0"]
STOP, KEPT = 3, 2  # the crash is in the step after the first; a checkpoint is of the second
RATE = 1e-3  # the highest of any of these
PICTURES = ["samples=default", "samples.every=2", "samples.seeds=[1]"]
LOOKS = [
    "evaluation=quick",
    "+encoders@model.encoders=mini",
    "evaluation.pictures.subject.images=1",
    "evaluation.pictures.subject.numbers=[0]",
    "watch.every=2",
    "watch.by=dino",
    "watch.keep=best",
]
Variants = dict[str, tuple[str, Sequence[str]]]
VARIANTS: Variants = {
    **{method: ("sd", [f"method={method}", "dataset.identifier=auto"]) for method in METHODS},
    "all that there is": (
        "sd",
        [
            "method.roles=[denoiser,text]",
            "hparams.batch_size=4",
            "hparams.ema=0.5",
            "hparams.clip=0.1",
            "hparams.rate.name=cosine",
            "trainer.accumulation=2",
            "trainer.gradient_checkpointing=true",
            "trainer.save_every=2",
            "prior=generated",
            "prior.count=3",
            *PICTURES,
        ],
    ),
    "some layers": ("sdxl", ["method.layers=attention", "method.roles=[denoiser,text_2]", "optimizer=sgd"]),
    "untuned teacher of adapters": ("sdxl", ["method=lora", "prior=base_prediction", "method.roles=[denoiser,text]"]),
    "untuned teacher of all weights": ("flux", ["method=dreambooth", "prior=base_prediction"]),
    "parts leave": ("flux", ["method=lora", "trainer.keep_parts=needed", *PICTURES]),
    "looks": ("sd", ["method=lora", *LOOKS]),
    "masks compute anew": ("chroma", ["method=lora", "trainer.gradient_checkpointing=true"]),
}
# The same in less precision: numbers of other passes are rounded to other ones, so only the losses are compared.
ROUNDED: Variants = {
    "frozen weights of less precision": (
        "sdxl",
        ["method=lora", "hparams.precision=bf16-mixed", "method.roles=[denoiser,text]", "hparams.clip=0.1"],
    ),
    "all weights computed in less precision": (
        "flux",
        ["method=dreambooth", "hparams.precision=bf16-mixed", "hparams.clip=0.1", "prior=base_prediction"],
    ),
}
RESUMED = ("all that there is", "untuned teacher of adapters")  # of these, and from one process to two and back


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sharded")


Command = Callable[[str, Path], list[str]]


@pytest.fixture(scope="module")
def command(tiny_folder: Callable[[str], Path], pictures: Path) -> Command:
    def of(variant: str, outputs: Path) -> list[str]:
        choice, settings = {**VARIANTS, **ROUNDED}[variant]
        return overrides(tiny_folder(choice), pictures, outputs, *SETTINGS, *settings)

    return of


@pytest.fixture(scope="module")
def on_one(place: Path, tiny_folder: Callable[[str], Path], pictures: Path) -> Callable[[str], Run]:
    runs: dict[str, Run] = {}

    def trained(variant: str) -> Run:
        if variant not in runs:
            choice, settings = {**VARIANTS, **ROUNDED}[variant]
            cfg = configure(tiny_folder(choice), pictures, place / "one" / variant, *SETTINGS, *settings)
            runs[variant] = train(cfg)
        return runs[variant]

    return trained


@pytest.fixture(scope="module")
def on_two(place: Path, command: Command) -> Path:
    """Where all variants are, trained by two processes from beginning to end."""
    commands = [[*command(name, place / "two" / name), *SHARED] for name in (*VARIANTS, *ROUNDED)]
    train_on_two(commands, place, timeout=900)
    return place / "two"


def same(mine: Run, theirs: Run) -> None:
    assert mine.status == "finished"
    assert mine.folder.name == theirs.folder.name
    assert losses(mine) == near(losses(theirs))
    assert mine.read().result_files.keys() == theirs.read().result_files.keys()
    for file in sorted(theirs.result.rglob("*.safetensors")):
        other = mine.result / file.relative_to(theirs.result)
        assert near_weights(load_file(other), load_file(file), rate=RATE, steps=5), file.name
    assert not left_in(mine.folder)


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_processes_that_share_weights_do_what_one_does(
    variant: str, on_two: Path, on_one: Callable[[str], Run]
) -> None:
    one, two = on_one(variant), only_run(on_two / variant)
    same(two, one)
    assert {file.relative_to(two.folder) for file in two.folder.rglob("*.png")} == {
        file.relative_to(one.folder) for file in one.folder.rglob("*.png")
    }
    assert two.read().progress == one.read().progress
    assert (two.best.is_dir(), two.read().watch.get("looks")) == (one.best.is_dir(), one.read().watch.get("looks"))


@pytest.mark.parametrize("variant", ROUNDED)
def test_in_less_precision_losses_differ_by_less_than_a_rounding(
    variant: str, on_two: Path, on_one: Callable[[str], Run]
) -> None:
    one, two = on_one(variant), only_run(on_two / variant)
    assert two.status == "finished"
    assert losses(two) == pytest.approx(losses(one), rel=torch.finfo(torch.bfloat16).eps)


def test_another_number_of_processes_goes_on_with_a_run(
    place: Path, command: Command, on_one: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one process to two, and from two to one, with and without sharing."""
    ways = {f"{name} {way}": command(name, place / way / name) for name in RESUMED for way in ("widened", "narrowed")}
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", stopping_at(STOP))
        for way, own in ways.items():
            if way.endswith("widened"):
                with pytest.raises(Stopped):
                    train(compose("train", own))
    narrowed = [[*own, *SHARED] for way, own in ways.items() if way.endswith("narrowed")]
    train_on_two(narrowed, place, timeout=300, stop_at=STOP)
    widened = [[*own, *SHARED] for way, own in ways.items() if way.endswith("widened")]
    train_on_two(widened, place, timeout=300)
    for name in RESUMED:
        checkpoint = torch.load(only_run(place / "narrowed" / name).checkpoint, weights_only=True)
        assert checkpoint["global_step"] == KEPT
        train(compose("train", command(name, place / "narrowed" / name)))
        for way in ("widened", "narrowed"):
            run = only_run(place / way / name)
            same(run, on_one(name))
            assert [row["step"] for row in metrics(run)] == [1, 2, 3, 4, 5]


def test_a_killed_run_goes_on(place: Path, command: Command) -> None:
    """The first process is killed, which ends the other; what both had half written goes with the next start."""
    own = [*command("lora", place / "killed"), *SHARED, "hparams.steps=30", "trainer.checkpoint_every=1"]
    program = [sys.executable, *PROGRAM, *own]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as first:
        while first.poll() is None and not list((place / "killed").glob("*/checkpoints/last.ckpt")):
            time.sleep(0.005)
        first.kill()
    run = only_run(place / "killed")
    assert run.status == "running", "it had not ended"
    launched(*own)
    again = only_run(place / "killed")
    assert again.status == "finished"
    assert len(again.read().started) == 2
    assert not left_in(again.folder)
    whole = train(compose("train", [*command("lora", place / "whole"), "hparams.steps=30"]))
    assert losses(again) == near(losses(whole))
