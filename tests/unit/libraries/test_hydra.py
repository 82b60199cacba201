"""What is assumed of Hydra."""

import inspect
from typing import Any

import pytest
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from omegaconf import OmegaConf

from imprint.config import compose
from imprint.libraries.hydra import (
    combinations,
    composing_apart,
    current_configuration,
    forget_plugin_choice,
    outcome,
    override_dirname,
    parsed_command_line,
    singleton_state,
)


def parsed(*texts: str) -> list[Override]:
    return OverridesParser.create().parse_overrides(list(texts))


def test_the_name_of_a_points_folder_leaves_out_what_the_job_excludes() -> None:
    job = OmegaConf.create({"config": {"override_dirname": {"kv_sep": "=", "item_sep": ",", "exclude_keys": ["seed"]}}})
    assert override_dirname(parsed("b=2", "a=1", "seed=3"), job) == "a=1,b=2"


def test_a_grid_has_all_combinations_the_last_axis_fastest() -> None:
    points = combinations(parsed("a=1,2", "b=range(0,2)", "c=x"))
    assert points == [[f"a={a}", f"b={b}", "c=x"] for a in (1, 2) for b in (0, 1)]


def test_a_grid_of_no_axes_is_one_point() -> None:
    assert combinations(parsed("c=x")) == [["c=x"]]


def test_hydras_own_options_are_told_from_overrides() -> None:
    found = parsed_command_line(["-m", "--config-dir", "/own", "seed=1,2", "method=lora"])
    assert (found.overrides, found.config_dir) == (["seed=1,2", "method=lora"], "/own")


def test_a_configuration_is_current_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    setup_globals()  # as Hydra does before a job
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    cfg = OmegaConf.create({"hydra": {"job": {"name": "of a point"}}, "name": "${hydra:job.name}"})
    with pytest.raises(ZeroDivisionError), current_configuration(cfg):
        assert cfg.name == "of a point", "${hydra:...} no longer reads HydraConfig.instance().cfg"
        raise ZeroDivisionError
    assert not HydraConfig.initialized()


def test_another_configuration_can_be_composed_while_one_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    running = GlobalHydra.instance()
    monkeypatch.setattr(running, "hydra", object())
    before = running.hydra
    with pytest.raises(ValueError, match="already initialized"):
        compose("doctor")
    with composing_apart():
        assert compose("doctor").outputs == "outputs"
    assert running.hydra is before


def test_a_plugins_choice_can_be_forgotten() -> None:
    store = ConfigStore.instance()
    store.store(group="hydra/launcher", name="of_a_plugin", node={"n_jobs": 1})
    assert "of_a_plugin.yaml" in store.list("hydra/launcher")
    forget_plugin_choice("launcher", "of_a_plugin.yaml")
    assert "of_a_plugin.yaml" not in store.list("hydra/launcher"), "ConfigStore.repo is no longer what is read"


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED])
def test_what_a_job_came_to_is_neither_raised_nor_printed(
    status: JobStatus, capsys: pytest.CaptureFixture[str]
) -> None:
    job, error = JobReturn(status=status), RuntimeError("it rained")
    job.return_value = error
    assert outcome(job) is error
    assert capsys.readouterr() == ("", "")


def test_the_state_for_other_processes_has_the_current_configuration() -> None:
    cfg = OmegaConf.create({"hydra": {"job": {"name": "of a point"}}})
    with current_configuration(cfg):
        current = singleton_state()["instances"][HydraConfig]
    assert current.cfg == cfg


@pytest.mark.parametrize(
    ("used", "arguments"),
    [
        (run_job, ("task_function", "config", "job_dir_key", "job_subdir_key", "hydra_context")),
        (setup_globals, ()),
        (configure_log, ("log_config", "verbose_config")),
        (Plugins.instantiate_launcher, ("hydra_context", "task_function", "config")),
        (ConfigLoader.load_sweep_config, ("master_config", "sweep_overrides")),
        (ConfigLoader.get_group_options, ("group_name", "results_filter", "config_name", "overrides")),
    ],
)
def test_what_launchers_are_given_to_work_with_takes_what_it_took(used: Any, arguments: tuple[str, ...]) -> None:
    """Public, but no more than other launchers are an example of."""
    assert set(arguments) <= set(inspect.signature(used).parameters)
