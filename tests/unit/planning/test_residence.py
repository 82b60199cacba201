"""What devices that share weights hold, and where the weights come from."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from small_runs import configure

from imprint.planning.parts import Plan
from imprint.planning.prepare import prepare
from imprint.planning.residence import loading_of, shares
from imprint.training.trainer import TrainerSettings

Planned = Callable[..., Plan]


@pytest.fixture
def planned(tiny_sd: Path, pictures: Path, tmp_path: Path) -> Planned:
    return lambda *settings: prepare(configure(tiny_sd, pictures, tmp_path, "hparams.batch_size=4", *settings))


def test_each_of_four_holds_a_quarter_of_what_is_shared(planned: Planned) -> None:
    whole = {"denoiser": 1, "text": 1, "autoencoder": 1}
    assert shares(planned()) == whole
    assert shares(planned("trainer=ddp", "trainer.devices=4")) == whole
    quarter = Fraction(1, 4)
    assert shares(planned("trainer=fsdp", "trainer.nodes=2")) == {**whole, "denoiser": quarter, "text": quarter}


@pytest.mark.parametrize(
    ("settings", "mapped"),
    [
        (["trainer=ddp"], set()),
        (["trainer=fsdp"], {"denoiser", "text"}),
        (["trainer=fsdp", "method=lora", "trainer.keep_parts=needed"], {"denoiser"}),
        (["trainer=fsdp", "prior=base_prediction"], {"denoiser"}),
    ],
)
def test_no_gpu_is_given_the_whole_of_what_they_share(
    settings: list[str], mapped: set[str], planned: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(*settings)
    assert not loading_of(plan).mapped, "on a CPU all is in main memory"
    monkeypatch.setattr(TrainerSettings, "own_device", torch.device("cuda", 0))
    assert loading_of(plan).mapped == mapped
    assert loading_of(plan).device == torch.device("cuda", 0)
