"""Lightning starts further processes by what looks like the command line of the first."""

import sys
from pathlib import Path

import pytest
from hydra.conf import ConfigSourceInfo
from hydra.core.hydra_config import HydraConfig
from lightning_fabric.strategies.launchers.subprocess_script import _hydra_subprocess_cmd
from omegaconf import read_write

from imprint.config import compose
from imprint.fitting import single_run_command_line


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that another program started."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/_submit.py", "folder", "-m", "seed=0,1"])
    compose("train", ["method=lora", "seed=1"])


@pytest.mark.usefixtures("elsewhere")
def test_it_is_that_of_the_run_and_not_that_of_the_program() -> None:
    with single_run_command_line(()):
        assert sys.argv[1:] == ["train", "method=lora", "seed=1", "hydra.mode=RUN"]
        command, _ = _hydra_subprocess_cmd(1)
        assert command[:5] == [sys.executable, "-m", "imprint.cli", "train", "method=lora"]


def test_a_point_of_a_benchmark_is_one_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verb alone would be the whole benchmark."""
    monkeypatch.setattr(sys, "argv", ["imprint", "subjects=[dog6,cat]"])
    compose("benchmark", ["subjects=[dog6,cat]", "dataset.subject=cat"])
    with single_run_command_line(()):
        assert sys.argv[1:] == ["benchmark", "subjects=[dog6,cat]", "dataset.subject=cat", "hydra.mode=RUN"]


@pytest.mark.usefixtures("elsewhere")
def test_the_users_own_configuration_goes_with_it(tmp_path: Path) -> None:
    cfg = HydraConfig.instance().cfg
    assert cfg is not None
    with read_write(cfg.hydra), read_write(cfg.hydra.runtime):
        cfg.hydra.runtime.config_sources.append(ConfigSourceInfo(str(tmp_path), "file", "command-line"))
        cfg.hydra.overrides.hydra = ["hydra.mode=RUN", "hydra.searchpath=[file:///own]"]
    with single_run_command_line(()):
        assert sys.argv[1:4] == ["train", f"--config-dir={tmp_path}", "hydra.searchpath=[file:///own]"]


@pytest.mark.usefixtures("elsewhere")
def test_afterwards_all_is_as_it_was() -> None:
    before = sys.argv, sys.modules["__main__"].__spec__
    with pytest.raises(ZeroDivisionError), single_run_command_line(()):
        raise ZeroDivisionError
    assert (sys.argv, sys.modules["__main__"].__spec__) == before


@pytest.mark.usefixtures("elsewhere")
def test_what_was_settled_is_handed_on() -> None:
    with single_run_command_line(["trainer.devices=2"]):
        assert sys.argv[1:] == ["train", "method=lora", "seed=1", "trainer.devices=2", "hydra.mode=RUN"]
