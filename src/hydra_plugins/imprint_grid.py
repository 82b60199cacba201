"""Hydra takes plugins from this namespace alone, and imports all of it at every start: so only shells stand here."""

from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class GridSweeper(Sweeper):
    """All combinations of the axes (`params` and the command's), times the listed points; see imprint.launching."""

    def __init__(self, params: "Mapping[str, Any]", points: "Sequence[Any]") -> None:
        self.params = params
        self.points = points
        self._context: HydraContext | None = None
        self._config: DictConfig | None = None
        self._launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self._context = hydra_context
        self._config = config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        from imprint.startup import imported

        launching = imported("imprint.launching")
        assert self._context is not None and self._config is not None and self._launcher is not None
        axes = [f"{key}={value}" for key, value in self.params.items()]
        composer = launching.Composer(self._context, self._config)
        return launching.run_grid(composer, self._launcher, arguments, axes=axes, listed=self.points)
