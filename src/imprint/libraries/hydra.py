"""Internals of Hydra that a sweeper and a launcher need. Tested with hydra-core 1.3.8."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, cast

from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig


def override_dirname(overrides: Sequence[Override], job: DictConfig) -> str:
    """`hydra.job.override_dirname` of a point with this `hydra.job`. Only Hydra's loader computes it, and only while it
    composes everything anew."""
    return str(get_overrides_dirname(list(overrides), **job.config.override_dirname))


def combinations(overrides: Sequence[Override]) -> list[list[str]]:
    """All points of a grid. Only Hydra's own sweeper knows how its syntax (lists, `range`, `glob`) multiplies out, and
    it would launch the points as well."""
    [batch] = BasicSweeper.split_arguments(list(overrides), None)
    return cast(list[list[str]], batch)


def parsed_command_line(arguments: Sequence[str]) -> Namespace:
    """Hydra's own options (`config_dir`) and the `overrides`. Its parser is not public, and ends the program
    for what it does not know; this raises ValueError."""

    def refuse(message: str) -> NoReturn:
        raise ValueError(message)

    parser = get_args_parser()
    parser.error = refuse
    return cast(Namespace, parser.parse_args(list(arguments)))


@contextmanager
def current_configuration(cfg: DictConfig) -> Iterator[None]:
    """Resolves `${hydra:...}` as in the job that Hydra runs with `cfg`. The public `set_config` copies a configuration
    of hundreds of keys, and cannot be undone."""
    hydra = HydraConfig.instance()
    before, hydra.cfg = hydra.cfg, cast(Any, cfg)
    try:
        yield
    finally:
        hydra.cfg = before


@contextmanager
def composing_apart() -> Iterator[None]:
    """Within it, other configurations can be composed while Hydra runs a command: it refuses to begin twice."""
    running = GlobalHydra.instance()
    before, running.hydra = running.hydra, None
    try:
        yield
    finally:
        running.hydra = before


def forget_plugin_choice(group: str, file: str) -> None:
    """Removes the configuration that an installed plugin has registered as `hydra/<group>/<file>`: Hydra would validate
    a YAML of that name against it. The store of configurations has no public way to remove one."""
    Plugins.instance()  # registers the choices of all plugins, once
    ConfigStore.instance().repo.get("hydra", {}).get(group, {}).pop(file, None)


def is_basic(launcher: Launcher) -> bool:
    """Whether it is Hydra's own, which runs one job after another in this process."""
    # By its name: Hydra loads the modules of its plugins a second time when it looks for them, with other classes.
    return type(launcher).__name__ == str(BasicLauncher.__name__)


def outcome(job: JobReturn) -> Any:
    """The return value of a job or, if it failed, its error. The public property prints all of the job's overrides and
    raises the error."""
    return job._return_value


def singleton_state() -> Any:
    """Hydra's global state, for a job in another process. Hydra's launchers pass it on in this way."""
    return Singleton.get_state()
