"""The life of a sweep: planned, launched, watched and summed up."""

import logging
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from imprint.claims import is_locked
from imprint.composing import Composer
from imprint.errors import RunBusy, UserError
from imprint.launching.forecast import describe
from imprint.launching.plan import PlannedPoint, SweepPoint, Training, plan_points, sweep_name
from imprint.launching.progress import Observer, Share, choose_display
from imprint.launching.status import Status
from imprint.launching.summary import SummaryWriter, failure_of, failure_reasons
from imprint.libraries.hydra import outcome
from imprint.locations import locate
from imprint.partial_files import remove_abandoned
from imprint.process_folder import remove_abandoned_folders
from imprint.reporting.redaction import redacted, without_secrets
from imprint.reporting.tracking.sweep import log_sweep
from imprint.sweeps import Sweep

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds between looks at runs that another program trains
PROGRESS = "report.progress"  # off for points that share a terminal, where the sweep's own progress is displayed
# Launchers whose points write to files of their own, where a line every few seconds is welcome.
WITH_OWN_OUTPUT = (
    "hydra_plugins.hydra_submitit_launcher",
    "hydra_plugins.imprint_launchers.LocalJobsLauncher",
    "hydra_plugins.imprint_launchers.SlurmLauncher",
)

Conclude = Callable[[Sequence[PlannedPoint], Mapping[str, str]], object]


def run_grid(
    composer: Composer,
    launcher: Launcher,
    points: Sequence[SweepPoint],
    arguments: Sequence[str],
    *,
    command: Sequence[str] = ("train", "-m"),
    training: Training | None = None,
    conclude: Conclude | None = None,
) -> None:
    """Points that are done are not launched. `arguments` are those of `command`. `conclude` is called when all have
    ended: with the points and, by name, why some are not done.

    Raises ConfigError, before any point starts, with what is wrong with any; UserError, after all of them ended, with
    those that failed.
    """
    since = time.time()
    grid = plan_points(composer, points, training)
    parts = grid[0].plan.parts
    outputs = locate(parts.outputs)
    sweep = Sweep.named(parts.sweep.name or sweep_name(points, [point.name for point in grid]), outputs)
    log.info("Sweep %s", sweep.name)
    for line in describe(grid, asked=len(points), outputs=outputs, listed=parts.dry_run):
        log.info(line)
    for line in _launcher_forecast(launcher, grid):
        log.info(line)
    if parts.dry_run:
        return
    launches = Launches(composer, launcher, sweep, command=command, arguments=arguments)
    try:
        error = launches.run(grid, since=since)
    finally:
        launches.close()
        log_sweep(sweep, parts.report.wandb)
    if conclude:
        conclude(grid, failure_reasons(grid, launches.statuses, launches.errors))
    if failure := launches.failure():
        raise failure from error
    if error:
        raise error


class Launches:
    """Launches the points of a sweep, watches them, and writes its record and summary meanwhile. `share` says where the
    first of them stand in a search; otherwise they are all."""

    def __init__(
        self,
        composer: Composer,
        launcher: Launcher,
        sweep: Sweep,
        *,
        command: Sequence[str],
        arguments: Sequence[str],
        share: Share | None = None,
    ) -> None:
        self._share = share
        self._launcher = launcher
        self._sweep = sweep
        self._command_line = shlex.join(without_secrets(["imprint", *command, *arguments, *composer.of_hydra]))
        self._common = _common_settings(composer, arguments, sweep)
        self._points: list[PlannedPoint] = []
        self._summary = SummaryWriter(sweep, self._points)
        self.statuses: dict[str, Status] = {}  # by name, as those below
        self.errors: dict[str, str] = {}  # that the launcher brought back

    def run(self, points: Sequence[PlannedPoint], *, since: float) -> Exception | None:
        """The launcher's own error, as where it lost a job; how the points are doing is in their folders. For `since`
        see Observer."""
        settings = redacted(points[0].cfg)["sweep"]
        share = Share.all_of(points)
        if self._share:
            share = self._share._replace(before=self._share.before + len(self._points))
        self._points += points
        remove_abandoned_folders()
        for folder in (self._sweep.folder, *(point.run.folder for point in points)):
            remove_abandoned(folder)
        self._sweep.note(
            question=settings["question"],
            command=self._command_line,
            objectives=settings["objectives"],
            points=[point.entry for point in points],
        )
        observer = Observer(
            points,
            choose_display(points, share),
            lambda statuses: self._summary.update(self.statuses | dict(statuses)),
            since=since,
        )
        try:
            with observer:
                self.errors |= launch(self._launcher, points, self._common, first=len(self._points) - len(points))
        except Exception as error:
            return error
        finally:
            self.statuses |= observer.statuses
        return None

    def close(self) -> None:
        if self._points:
            self._summary.close(self.statuses)
            log.info("Summary: %s", self._sweep.summary)
            log.info("Report:  %s", self._sweep.report)

    def failure(self) -> UserError | None:
        """What the program ends with, if a point did not end well."""
        return failure_of(self._points, self.statuses, self.errors)


def launch(
    launcher: Launcher, points: Sequence[PlannedPoint], common: Mapping[str, str], *, first: int = 0
) -> dict[str, str]:
    """Trains and scores what is left of `points`, each with the `common` settings. Points that another program is
    training are waited for, and launched after all where it leaves them unfinished.

    Returns the errors that the launcher brought back, by the names of their points.
    """
    failed: dict[str, str] = {}
    left = {point.name: point for point in points if point.to_do != "done"}
    has_logged = False
    while left:
        free = [name for name, point in left.items() if not is_locked(point.run.lock)]
        returns = _launch_free(launcher, [left[name] for name in free], common, first) if free else []
        first += len(free)
        errors = {
            name: outcome(returned)
            for name, returned in zip(free, returns, strict=False)
            if returned.status == JobStatus.FAILED
        }
        busy = [name for name in left if name not in free or isinstance(errors.get(name), RunBusy)]
        failed |= {name: str(error) or type(error).__name__ for name, error in errors.items() if name not in busy}
        if busy and not has_logged:
            has_logged = True
            log.info("%d of %d points are being trained by another program: waiting for it.", len(busy), len(points))
        while busy and all(is_locked(left[name].run.lock) for name in busy):
            time.sleep(PATIENCE)
        updated = [left[name].updated() for name in busy]
        left = {point.name: point for point in updated if point.to_do != "done" and point.run.status != "failed"}
    return failed


def _common_settings(composer: Composer, arguments: Sequence[str], sweep: Sweep) -> dict[str, str]:
    """Those of every point, unless the command gives them."""
    given = {text.partition("=")[0] for text in arguments}
    has_own_output = str(composer.config.hydra.launcher["_target_"]).startswith(WITH_OWN_OUTPUT)
    common = {"sweep.name": sweep.name} | ({} if has_own_output else {PROGRESS: "off"})
    return {key: value for key, value in common.items() if key not in given}


def _launch_free(
    launcher: Launcher, points: Sequence[PlannedPoint], common: Mapping[str, str], first: int
) -> Sequence[JobReturn]:
    """A launcher of this process takes points as they are prepared; others prepare them where they run."""
    if hasattr(launcher, "launch_prepared"):
        returns: Sequence[JobReturn] = launcher.launch_prepared([point.prepared(common) for point in points], first)
    else:
        returns = launcher.launch([point.overrides(common) for point in points], initial_job_idx=first)
    return returns


def _launcher_forecast(launcher: Launcher, points: Sequence[PlannedPoint]) -> Iterable[str]:
    """What the launcher itself says of the trainings to come, if it has a `forecast(plans, names)`."""
    forecast = getattr(launcher, "forecast", None)
    trainings = [point for point in points if point.to_do not in ("done", "to score")]
    if forecast is None or not trainings:
        return ()
    lines: Iterable[str] = forecast([point.plan for point in trainings], [point.label for point in trainings])
    return lines
