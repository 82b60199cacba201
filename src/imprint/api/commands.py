"""Commands of the terminal as functions, and the settings that they read."""

from collections.abc import Mapping
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig

from imprint import cli, config
from imprint.command_line import as_overrides
from imprint.composition_errors import explained
from imprint.errors import ConfigError, UserError
from imprint.overrides import check_overrides


def compose(*overrides: str, verb: str = "train") -> DictConfig:
    """The configuration that `imprint <verb> <overrides>` runs with. Raises UserError for what does not exist.

    What is `--config-dir mine` in a command is the override `hydra.searchpath=[file:///path/to/mine]` here.
    """
    try:
        overrides = tuple(as_overrides(verb, overrides))
        check_overrides(overrides, sweeps=False)
        return config.compose(verb, overrides)
    except HydraException as error:
        raise UserError(explained(verb, overrides, error)) from error


def command(verb: str, *arguments: str) -> None:
    """Does what `imprint <verb> <arguments>` does, for what has no function of its own: `command("train", "-m", ...)`.

    Raises UserError where the command line would print an error.
    """
    overrides = as_overrides(verb, arguments)
    try:
        cli.execute(verb, overrides)
    except HydraException as error:
        raise UserError(explained(verb, overrides, error)) from error


def settings_of(key: str, own: Mapping[str, Any], *overrides: str) -> Any:
    """What `imprint generate` has under this key, with settings of one's own. Raises ConfigError with all that is wrong
    with them."""
    from imprint.construct import Constructor

    node = compose(*overrides, verb="generate")[key]
    if node is None:
        return None
    constructor = Constructor()
    built = constructor.build({**config.resolved(node), **own}, key)
    if constructor.problems:
        raise ConfigError(constructor.problems)
    return built
