"""Sweepers. Only shells, as Hydra takes plugins from this namespace alone and imports all of it at every start: see
imprint.launching."""

from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from imprint.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imprint.launching import Composer


class _Shell(Sweeper):
    """Takes its settings from `hydra.sweeper`."""

    def __init__(self, params: "Mapping[str, Any]", **settings: Any) -> None:
        self.axes = [f"{key}={value}" for key, value in params.items()]
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
        assert self._context is not None and self._config is not None and self._launcher is not None
        composer = getattr(self._launcher, "composer", None) or launching.Composer(self._context, self._config)
        self._sweep(composer, self._launcher, arguments)

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        raise NotImplementedError


class GridSweeper(_Shell):
    """All combinations of the axes (`params` and the command's), times the listed points."""

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        from imprint.launching import run_grid, sweep_points

        run_grid(
            composer, launcher, sweep_points(composer, [*self.axes, *arguments], self.settings["points"]), arguments
        )


class BenchmarkSweeper(_Shell):
    """A grid, for each subject of a collection."""

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        from imprint.verbs.benchmark import run_benchmark

        run_benchmark(composer, launcher, arguments, axes=self.axes, listed=self.settings.get("points", ()))


class SearchSweeper(_Shell):
    """Points that Optuna chooses, by the scores of those before."""

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        try:
            from imprint.launching.search import Search, run_search
        except ImportError as error:
            raise UserError(
                f"hydra/sweeper: a search needs {error.name}. pip install 'imprint-diffusion[search]'"
            ) from error
        run_search(composer, launcher, [*self.axes, *arguments], Search(**self.settings))
