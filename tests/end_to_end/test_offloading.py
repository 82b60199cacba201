"""Whole runs of which something lies in the machine's memory: the same to the last digit. Nothing here has another
memory; so that something happens, the CPU is taken for a device that has."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from composed import compose
from lessons import result_weights
from small_runs import configure, losses, metrics

from imprint.errors import ConfigError
from imprint.models.block_swap import BlockSwap
from imprint.planning import assemble
from imprint.runs import Run
from imprint.training import activations
from imprint.training.callbacks import FiniteLoss
from imprint.training.trainer import TrainerSettings
from imprint.verbs import generate
from imprint.verbs.train import train

LORA = ["method=lora", "hparams.steps=4", "samples=default", "samples.every=2"]
DREAMBOOTH = ["method=dreambooth", "hparams.steps=4", "hparams.clip=0.1"]
ANEW = "trainer.gradient_checkpointing=true"
SWAP = [ANEW, "trainer.blocks_on_device=1"]


class Stopped(Exception):
    """Stands for a crash."""


@pytest.fixture
def a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainerSettings, "offloads", True)
    monkeypatch.setattr(activations, "IN_MEMORY", set())


def assert_same(run: Run, other: Run) -> None:
    assert run.folder.name == other.folder.name
    assert metrics(run) == metrics(other)
    expected, found = result_weights(other), result_weights(run)
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())
    for file in sorted(other.folder.rglob("*.png")):
        assert file.read_bytes() == (run.folder / file.relative_to(other.folder)).read_bytes(), file.name


@pytest.mark.usefixtures("a_device")
@pytest.mark.parametrize(
    ("settings", "how"),
    [
        (LORA, ["trainer.offload_activations=true", "trainer.gradient_checkpointing=half"]),
        (DREAMBOOTH, ["trainer.offload_activations=true"]),
        (DREAMBOOTH, ["trainer.offload_optimizer=true"]),
    ],
)
def test_a_run_is_what_it_is_without(
    settings: list[str], how: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    usual = train(configure(tiny_sd, pictures, tmp_path / "usual", *settings))
    assert_same(train(configure(tiny_sd, pictures, tmp_path / "other", *settings, *how)), usual)


@pytest.mark.usefixtures("a_device")
@pytest.mark.parametrize(
    ("prior", "more"),
    [
        ([], ["trainer.keep_parts=needed", "trainer.offload_activations=true"]),
        (["prior=base_prediction"], ["trainer.offload_optimizer=true"]),
    ],
)
def test_blocks_come_and_go_in_training_and_drawing(
    prior: list[str],
    more: list[str],
    tiny_sd: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    swaps: list[BlockSwap] = []

    def noted(*given: Any) -> BlockSwap:
        swaps.append(BlockSwap(*given))
        return swaps[-1]

    settings = [*LORA, "hparams.precision=bf16-mixed", *prior]  # in which drawing does not merge adapters
    usual = train(configure(tiny_sd, pictures, tmp_path / "usual", *settings))
    monkeypatch.setattr(assemble, "BlockSwap", noted)
    assert_same(train(configure(tiny_sd, pictures, tmp_path / "other", *settings, *SWAP, *more)), usual)
    assert [len(swap.present) for swap in swaps] == [1]


@pytest.mark.usefixtures("a_device")
def test_with_an_offloaded_optimiser_a_stopped_run_goes_on(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = train(configure(tiny_sd, pictures, tmp_path / "usual", "method=dreambooth"))

    def stop(self: FiniteLoss, trainer: Any, module: Any, loss: Any) -> None:
        if trainer.global_step == 4:
            raise Stopped

    settings = ["method=dreambooth", "trainer.offload_optimizer=true"]
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", stop)
        with pytest.raises(Stopped):
            train(configure(tiny_sd, pictures, tmp_path / "other", *settings))
    monkeypatch.setattr(TrainerSettings, "offloads", False)  # and elsewhere, without one
    assert_same(train(configure(tiny_sd, pictures, tmp_path / "other", *settings)), usual)


@pytest.mark.parametrize("precision", ["'32'", "bf16"])
def test_pictures_are_the_same_where_blocks_come_and_go(
    precision: str, finished: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished("method=lora")
    swaps: list[BlockSwap] = []

    def drawn(place: str, *settings: str) -> list[bytes]:
        asked = [f"run={run.folder}", f"outputs={tmp_path / place}", f"precision={precision}", "seeds=[7]", "steps=2"]
        folder = generate.generate(compose("generate", [*asked, *settings]))
        return [file.read_bytes() for file in sorted(folder.glob("*.png"))]

    def noted(*given: Any) -> BlockSwap:
        swaps.append(BlockSwap(*given))
        return swaps[-1]

    usual = drawn("usual")
    monkeypatch.setattr(generate, "has_own_memory", lambda device: True)
    monkeypatch.setattr(generate, "BlockSwap", noted)
    assert drawn("other", "blocks_on_device=1") == usual
    assert usual
    assert [len(swap.present) for swap in swaps] == [1]


def test_on_a_cpu_it_is_said_that_nothing_changes(
    tiny_sd: Path, pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="imprint")
    more = [*SWAP, "trainer.offload_optimizer=true", "trainer.offload_activations=true"]
    run = train(configure(tiny_sd, pictures, tmp_path, "method=lora", "hparams.steps=2", *more))
    assert len(losses(run)) == 2
    assert (
        "trainer.offload_optimizer, trainer.offload_activations, trainer.blocks_on_device: no effect here"
        in caplog.text
    )


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        (["method=lora", "trainer.blocks_on_device=2"], ["trainer.blocks_on_device"]),
        (["method=lora", *SWAP, "trainer.gradient_checkpointing=half"], ["trainer.blocks_on_device"]),
        (["method=dreambooth", *SWAP], ["trainer.blocks_on_device"]),
        (["method=lora", *SWAP, "trainer.devices=2", "hparams.batch_size=2"], ["trainer.blocks_on_device"]),
        (
            [
                *("method=dreambooth", "trainer.blocks_on_device=2", "trainer.compile=true"),
                *("trainer.offload_activations=true", "hparams.precision=bf16"),
            ],
            [*["trainer.blocks_on_device"] * 3, "trainer.offload_activations", "hparams.precision"],
        ),
        (["trainer.gradient_checkpointing=half", "trainer.compile=true"], ["trainer.gradient_checkpointing"]),
        (["trainer.strategy=fsdp", "trainer.offload_optimizer=true"], ["trainer.offload_optimizer"]),
        (["trainer.gradient_checkpointing=most"], ["trainer.gradient_checkpointing"]),
        (["method=lora", "trainer.blocks_on_device=0", ANEW], ["trainer.blocks_on_device"]),
    ],
)  # fmt: skip
def test_what_cannot_be_together_is_refused_at_once(
    settings: list[str], refused: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as told:
        train(configure(tiny_sd, pictures, tmp_path, *settings))
    keys = {problem.key for problem in told.value.problems if not isinstance(problem, str)}
    assert keys >= set(refused)
    if len(refused) > 2:
        assert len(told.value.problems) >= len(refused)


def test_roles_that_learn_elsewhere_leave_the_blocks_free_to_go(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    assert train(configure(tiny_sd, pictures, tmp_path, "method.roles=[text]", "hparams.steps=1", *SWAP))
