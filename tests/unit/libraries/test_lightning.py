"""What is assumed of Lightning's trainer."""

import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.strategies.launchers.subprocess_script import _basic_subprocess_cmd
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor, nn
from torch.utils.data import DataLoader

from imprint.libraries.lightning import StaysOnDevice, command_line, interruptible, precision_of, process_rank


class Module(StaysOnDevice):
    """Notes what the trainer does to it."""

    def __init__(self, at_step: Callable[[pl.Trainer], object]) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)
        self.at_step = at_step
        self.farewells = 0

    def training_step(self, batch: Tensor, index: int) -> Tensor:
        self.at_step(self.trainer)
        return self.layer(batch).sum()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def cpu(self) -> "StaysOnDevice":
        self.farewells += 1
        return super().cpu()


def fit(at_step: Callable[[pl.Trainer], object], folder: Path, precision: Any = "32-true") -> Module:
    module = Module(at_step)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = pl.Trainer(
            accelerator="cpu",
            max_steps=1,
            precision=precision,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder,
        )
        trainer.fit(module, DataLoader(torch.ones(1, 2), batch_size=1))
    return module


def test_the_trainer_ends_by_asking_the_module_to_the_cpu(tmp_path: Path) -> None:
    module = fit(lambda trainer: None, tmp_path)
    assert module.farewells == 1, "Lightning moves modules in another way now: StaysOnDevice does not hold them"


def test_the_precision_of_a_step_can_be_entered_again(tmp_path: Path) -> None:
    kinds: list[torch.dtype] = []

    def at_step(trainer: pl.Trainer) -> None:
        with torch.autocast("cpu", enabled=False), precision_of(trainer):
            kinds.append(nn.functional.linear(torch.ones(1, 2), torch.ones(1, 2)).dtype)

    fit(at_step, tmp_path, "bf16-mixed")
    fit(at_step, tmp_path, "32-true")
    assert kinds == [torch.bfloat16, torch.float32]


def test_an_interruption_arrives_and_another_one_would(tmp_path: Path) -> None:
    def at_step(trainer: pl.Trainer) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt), interruptible():
            fit(at_step, tmp_path)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_rank_is_known_without_a_trainer() -> None:
    assert isinstance(getattr(rank_zero_only, "rank", None), int), "Lightning keeps the rank elsewhere now"
    assert process_rank() == 0


def test_other_processes_are_started_with_the_command_line_that_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/pytest", "-q"])
    main = sys.modules["__main__"]
    before = main.__spec__
    with pytest.raises(ZeroDivisionError), command_line("imprint.cli", ["train", "seed=1"]):
        assert list(_basic_subprocess_cmd()) == [sys.executable, "-m", "imprint.cli", "train", "seed=1"]
        raise ZeroDivisionError
    assert (sys.argv, main.__spec__) == (["/somewhere/pytest", "-q"], before)
