"""What a cluster is asked for, and what its jobs are given."""

import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import OmegaConf
from small_runs import configure

pytest.importorskip("submitit")

from imprint.config import conf_folder
from imprint.launchers import cluster
from imprint.launchers.cluster import _executor, _Jobs
from imprint.launching.plan import PlannedPoint, SweepPoint, Work
from imprint.planning.memory import devices
from imprint.planning.memory.estimate import Estimate, estimate
from imprint.planning.parts import Plan
from imprint.planning.prepare import prepare

GPU = torch.device("cuda", 0)


def test_what_jobs_are_given_can_be_read_by_their_owner_alone(tmp_path: Path) -> None:
    _executor("local", {"submitit_folder": str(tmp_path / "a" / "launcher"), "timeout_min": 1})
    assert stat.S_IMODE((tmp_path / "a" / "launcher").stat().st_mode) == stat.S_IRWXU


class Loader:
    """Composes the keys that matter here."""

    def load_sweep_config(self, config: Any, overrides: Sequence[str]) -> Any:
        return OmegaConf.merge(config, OmegaConf.from_dotlist([each for each in overrides if "trainer." in each]))


class Context:
    config_loader = Loader()


class Jobs(_Jobs):
    """As of SLURM, with the settings that imprint has for it."""

    _EXECUTOR = "slurm"

    def __init__(self, folder: Path) -> None:
        launcher = yaml.safe_load((conf_folder() / "hydra/launcher/slurm.yaml").read_text(encoding="utf-8"))
        own = {"outputs": str(folder), "sweep": {"name": "x"}, "trainer": {"devices": "auto", "nodes": 1}}
        self.config = OmegaConf.create({**own, "hydra": {"launcher": launcher}})
        self.hydra_context = Context()


class Asked:
    """An executor that notes what it is to run, and does nothing."""

    def __init__(self, settings: dict[str, Any], asked: list[tuple[dict[str, Any], int]]) -> None:
        self.settings, self.asked = settings, asked

    def map_array(self, call: Any, *arguments: Sequence[Any]) -> list[Any]:
        self.asked.append((self.settings, len(arguments[0])))
        return [_Done() for _ in arguments[0]]


class _Done:
    class paths:  # noqa: N801 - submitit's name
        folder = "here"

    def results(self) -> list[str]:
        return ["done"]


@pytest.fixture
def planned(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., PlannedPoint]:
    """A point of a grid with trainer.devices=auto, on a machine whose two GPUs have so much memory that LoRA fits on
    one of them, and DreamBooth does not."""
    cfgs = {
        method: configure(tiny_sd, pictures, tmp_path, f"method={method}", "hparams.batch_size=2")
        for method in ("lora", "dreambooth")
    }
    peaks = {method: peak(prepare(cfg)) for method, cfg in cfgs.items()}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(devices, "planned_device", lambda settings: GPU)
    monkeypatch.setattr(devices, "whole_room", lambda settings: peaks["lora"])

    def point(method: str) -> PlannedPoint:
        cfg = cfgs[method]
        cfg.trainer.devices = "auto"
        asked = SweepPoint((f"method={method}", "trainer.devices=auto"), (f"method={method}",))
        return PlannedPoint(asked, cfg, prepare(cfg), Work(1, (), None), "to train")

    return point


def peak(plan: Plan) -> int:
    found = estimate(plan, GPU)
    assert isinstance(found, Estimate)
    return found.peak


def test_each_point_asks_for_the_devices_that_its_estimate_asks_for(
    planned: Callable[[str], PlannedPoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[dict[str, Any], int]] = []
    monkeypatch.setattr(cluster, "_executor", lambda kind, settings: Asked(settings, asked))
    monkeypatch.setattr(cluster, "arguments_of_job", lambda overrides, number: (overrides, number))
    points = [planned(method).overrides({}) for method in ("lora", "dreambooth", "lora")]
    assert Jobs(tmp_path).launch(points, 0) == ["done"] * 3
    assert [(own["tasks_per_node"], own["gpus_per_node"], count) for own, count in asked] == [(1, 1, 2), (2, 2, 1)]
