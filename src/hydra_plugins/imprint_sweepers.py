"""Hydra's sweepers. Hydra imports all of this namespace at every start, so imprint.launching is imported when a sweep
begins."""

from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from imprint.startup import imported, imported_with_extra

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imprint.launching import Composer


class _LazySweeper(Sweeper):
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
        self._check(hydra_context, config)
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def _check(self, context: HydraContext, config: DictConfig) -> None:
        """Refuses by the first point what can be refused before anything is imported that computes. Listed points may
        choose what makes the axes possible, so they are left to the plan of all points."""
        from imprint.command_line import VERBS
        from imprint.composing import Composer
        from imprint.given_places import check_places

        verb, given = config.hydra.job.config_name, [*self.axes, *config.hydra.overrides.task]
        if verb not in VERBS or self.settings.get("points"):  # --config-name names a configuration of the user's own
            return
        if given or VERBS[verb].wanted:
            check_places(verb, Composer(context, config).first_point(given))

    def sweep(self, arguments: list[str]) -> None:
        launching = imported("imprint.launching")
        assert self._context is not None and self._config is not None and self._launcher is not None
        composer = getattr(self._launcher, "composer", None) or launching.Composer(self._context, self._config)
        self._sweep(composer, self._launcher, arguments)

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        raise NotImplementedError


class GridSweeper(_LazySweeper):
    """All combinations of the axes (`params` and the command's), times the listed points."""

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        from imprint.launching import run_grid, sweep_points

        points = sweep_points(composer, [*self.axes, *arguments], self.settings["points"])
        run_grid(composer, launcher, points, arguments)


class BenchmarkSweeper(_LazySweeper):
    """A grid, for each subject of a collection."""

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        from imprint.verbs.benchmark import run_benchmark

        run_benchmark(composer, launcher, arguments, axes=self.axes, listed=self.settings.get("points", ()))


class SynthesisSweeper(_LazySweeper):
    """A data set for each combination of the axes, and before that the runs that it lacks."""

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        from imprint.verbs.synthesise import run_synthesis

        run_synthesis(composer, launcher, arguments, axes=self.axes)


class StudySweeper(_LazySweeper):
    """A study for each combination of the axes, or a search among them; with a launcher, its cells in several
    processes."""

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        from imprint.verbs.study import run_studies

        assert self._context is not None
        given = [*self.axes, *arguments]
        run_studies(composer, launcher, given, context=self._context, sampling=self.settings)


class SearchSweeper(_LazySweeper):
    """Points that Optuna chooses by the scores of those before."""

    def _sweep(self, composer: "Composer", launcher: Launcher, arguments: "Sequence[str]") -> None:
        search = imported_with_extra("imprint.launching.search", extra="search", key="hydra/sweeper")
        search.run_search(composer, launcher, [*self.axes, *arguments], search.Search(**self.settings))
