"""The sweeper that searches. Only a shell, as Hydra imports this at every start: see imprint.launching.search."""

from collections.abc import Mapping
from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from imprint.errors import UserError


class SearchSweeper(Sweeper):
    """Points that Optuna chooses, by the scores of those before."""

    def __init__(self, params: Mapping[str, Any], **settings: Any) -> None:
        self.params = params
        self.settings = settings
        self._context: HydraContext | None = None
        self._config: DictConfig | None = None
        self._launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context = hydra_context
        self._config = config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        from imprint.startup import imported

        launching = imported("imprint.launching")
        try:
            search = imported("imprint.launching.search")
        except ImportError as error:
            raise UserError(
                f"hydra/sweeper: a search needs {error.name}. pip install 'imprint-diffusion[search]'"
            ) from error

        assert self._context is not None and self._config is not None and self._launcher is not None
        axes = [f"{key}={value}" for key, value in self.params.items()]
        search.run_search(
            launching.Composer(self._context, self._config),
            self._launcher,
            [*axes, *arguments],
            search.Search(**self.settings),
        )
