"""What is assumed of Hydra's plugins for joblib and submitit."""

import inspect
from typing import Any

import pytest
from hydra.core.utils import JobReturn
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
pytest.importorskip("hydra_plugins.hydra_submitit_launcher")

from hydra_plugins.hydra_joblib_launcher._core import execute_job

from imprint.libraries import joblib_launcher, submitit_launcher


@pytest.fixture
def given() -> dict[str, Any]:
    config = OmegaConf.create({"hydra": {"launcher": {}}})
    return {"hydra_context": HydraContext(None, None), "config": config, "task_function": print}  # type: ignore[arg-type]


def test_the_job_of_joblibs_plugin_takes_what_is_given_to_it(given: dict[str, Any]) -> None:
    launcher = joblib_launcher.JoblibLauncher(n_jobs=2)
    launcher.setup(**given)
    arguments = joblib_launcher.arguments_of_job(launcher, 3, ["seed=1"])
    assert {name: arguments[name] for name in given} == given
    inspect.signature(execute_job).bind(**arguments)


@pytest.mark.parametrize(("kind", "name"), [("LocalLauncher", "local"), ("SlurmLauncher", "slurm")])
def test_the_job_of_submitits_plugin_takes_what_is_given_to_it(kind: str, name: str, given: dict[str, Any]) -> None:
    launcher = getattr(submitit_launcher, kind)()
    launcher.setup(**given)
    assert submitit_launcher.executor_kind(launcher) == name
    assert isinstance(launcher.config, DictConfig)
    assert launcher.hydra_context is given["hydra_context"]
    call = inspect.signature(type(launcher).__call__)
    bound = call.bind(launcher, *submitit_launcher.arguments_of_job(["seed=1"], 3)).arguments
    assert (bound["sweep_overrides"], bound["job_dir_key"], bound["job_num"]) == (["seed=1"], "hydra.sweep.dir", 3)
    assert call.return_annotation is JobReturn


def test_settings_of_all_jobs_are_told_from_slurms() -> None:
    assert {"timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb", "name"} <= submitit_launcher.SETTINGS_OF_ALL
    assert submitit_launcher.SETTINGS_OF_ALL.isdisjoint({"partition", "qos", "account", "max_num_timeout"})
