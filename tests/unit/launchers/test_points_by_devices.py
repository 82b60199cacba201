"""Points that want several devices have them for themselves."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from imprint.launchers.processes import Processes


class Loader:
    """Composes the only key that matters here."""

    def load_sweep_config(self, config: Any, overrides: Sequence[str]) -> Any:
        return OmegaConf.merge(config, OmegaConf.from_dotlist(list(overrides)))


class Context:
    config_loader = Loader()


def launched(monkeypatch: pytest.MonkeyPatch, points: Sequence[Sequence[str]], *, processes: int) -> list[Any]:
    """Which points ran together: their numbers, with how many devices each, and how many at a time."""
    runs: list[Any] = []
    launcher = Processes(n_jobs=processes)
    launcher.config = OmegaConf.create({"trainer": {"devices": 1}, "method": "lora"})
    launcher.hydra_context = Context()

    def run(points: Any, devices: int) -> Any:
        runs.append((sorted(points), devices, launcher._at_a_time(devices)))
        return iter([(number, number) for number in points])

    monkeypatch.setattr(launcher, "_run", run)
    assert launcher.launch(points, 0) == list(range(len(points)))
    return runs


@pytest.fixture(autouse=True)
def four_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


def test_each_number_of_devices_has_processes_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [["trainer.devices=2"], ["method=dreambooth"], ["trainer.devices=2", "method=loha"], ["seed=1"]]
    assert launched(monkeypatch, points, processes=4) == [([0, 2], 2, 2), ([1, 3], 1, 4)]


def test_no_more_points_at_a_time_than_there_are_devices_for(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [["trainer.devices=4"], ["trainer.devices=4", "seed=1"]]
    assert launched(monkeypatch, points, processes=2) == [([0], 4, 1), ([1], 4, 1)]


def test_where_there_is_no_gpu_the_processes_are_as_many_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    points = [["trainer.devices=2"], ["trainer.devices=2", "seed=1"]]
    assert launched(monkeypatch, points, processes=2) == [([0, 1], 2, 2)]


def test_of_what_a_plan_has_settled_the_last_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A point's own settings come first, then what its plan found."""
    points = [["trainer.devices=auto", "trainer.devices=2"], ["trainer.devices=auto", "trainer.devices=1"]]
    assert launched(monkeypatch, points, processes=4) == [([0], 2, 2), ([1], 1, 4)]
