"""What every family keeps to: settings that save memory change no loss and no gradient."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from families import FAMILIES
from lessons import assembled, batches, gradients
from small_runs import configure
from torch import Tensor

from imprint.libraries.diffusers import kept_in_float32
from imprint.models import block_swap
from imprint.models.block_swap import BlockSwap
from imprint.training import activations
from imprint.training.module import TrainingModule
from imprint.training.trainer import TrainerSettings
from imprint.types import Batch

SETTINGS = ["method=lora", "hparams.batch_size=2", "dataset.identifier=auto"]
ANEW = "trainer.gradient_checkpointing=true"


class Poisoned(BlockSwap):
    """Blocks that are away hold no numbers, so whoever computes with one is found out."""

    most = 0

    def _come(self, number: int) -> None:
        super()._come(number)
        for parameter, _ in self._blocks[number]:
            parameter.data = parameter.data.clone()
        type(self).most = max(type(self).most, len(self.present) + 1)

    def _leave(self, number: int) -> None:
        for parameter, home in self._blocks[number]:
            parameter.data.fill_(float("nan"))  # the copy that was there, and whoever refers to it
            parameter.data = torch.full_like(home, float("nan"))


@pytest.fixture
def offloading(monkeypatch: pytest.MonkeyPatch) -> type[Poisoned]:
    """As if the device had a memory of its own."""
    from imprint.planning import assemble

    monkeypatch.setattr(TrainerSettings, "offloads", True)
    monkeypatch.setattr(assemble, "BlockSwap", Poisoned)
    monkeypatch.setattr(activations, "IN_MEMORY", set())
    monkeypatch.setattr(Poisoned, "most", 0)
    return Poisoned


class Learned:
    """What the first step of a family's run teaches."""

    def __init__(self, model: Path, pictures: Path, outputs: Path) -> None:
        self._configure = lambda *more: configure(model, pictures, outputs, *SETTINGS, *more)
        self.plain = self.first_step()

    def first_step(self, *more: str) -> tuple[TrainingModule, Batch, list[Tensor]]:
        module = assembled(self._configure(*more))
        batch = next(batches(module))
        return module, batch, gradients(module, batch)


@pytest.fixture(scope="module", params=FAMILIES)
def learned(
    request: pytest.FixtureRequest,
    tiny_folder: Callable[[str], Path],
    pictures: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Learned:
    return Learned(tiny_folder(request.param), pictures, tmp_path_factory.mktemp("memory"))


@pytest.mark.parametrize("level", ["true", "half"])
def test_computing_blocks_anew_changes_no_gradient(level: str, learned: Learned) -> None:
    _, _, gradients = learned.first_step(f"trainer.gradient_checkpointing={level}")
    assert all(map(torch.equal, gradients, learned.plain[-1]))


def test_blocks_come_and_go_and_change_no_gradient(learned: Learned, offloading: type[Poisoned]) -> None:
    module, batch, gradients = learned.first_step(ANEW, "trainer.blocks_on_device=1")
    denoiser = module.model.roles["denoiser"]
    assert len(block_swap.block_bytes(denoiser)) > 1
    every = sum(weight.nbytes for weight in denoiser.parameters())
    assert block_swap.most_bytes(denoiser, 1) <= 0.9 * every
    assert offloading.most == 1
    assert all(map(torch.equal, gradients, learned.plain[-1]))
    with torch.no_grad():
        assert torch.equal(module.losses(batch).total, learned.plain[0].losses(batch).total)


@pytest.mark.usefixtures("offloading")
def test_what_waits_in_memory_for_the_backward_pass_changes_no_gradient(learned: Learned) -> None:
    module, batch, expected = learned.plain
    with activations.activations_in_memory(module.model):
        loss = module.losses(batch).total
    assert all(map(torch.equal, torch.autograd.grad(loss, module.trained()), expected))


def test_a_whole_network_learns_in_bfloat16(learned: Learned) -> None:
    pytest.importorskip("optimi")
    expected = float(learned.plain[0].losses(learned.plain[1]).total)  # of adapters that do nothing yet
    whole = ["method=dreambooth", "method.roles=[denoiser]", "hparams.precision=bf16", "optimizer=adamw_kahan"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        module, batch, gradients = learned.first_step(*whole)
        loss = float(module.losses(batch).total)
    assert loss == pytest.approx(expected, rel=0.05)
    precise = {id(weight) for weight in kept_in_float32(module.model.roles["denoiser"])}
    for weight, gradient in zip(module.trained(), gradients, strict=True):
        assert gradient.dtype == weight.dtype == (torch.float32 if id(weight) in precise else torch.bfloat16)
        assert gradient.isfinite().all()
