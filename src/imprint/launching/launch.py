"""A grid from plan to summary."""

import logging
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from filelock import FileLock, Timeout
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from imprint.composing import Composer
from imprint.errors import RunBusy
from imprint.launching.plan import Asked, Planned, Training, name_of, planned
from imprint.launching.plan_text import described
from imprint.launching.show import Observer, choose_show
from imprint.launching.summary import Keeper, failures, reasons_of
from imprint.libraries.hydra import outcome
from imprint.locations import locate
from imprint.reporting.tracking.sweep import log_sweep
from imprint.runs import Run
from imprint.sweeps import Sweep

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds between looks at runs that another program trains
QUIET = "report.progress"  # of the points: they share one terminal, and the sweep is shown there
# Launchers whose points write to files of their own, where a line every few seconds is welcome.
AWAY = (
    "hydra_plugins.hydra_submitit_launcher",
    "hydra_plugins.imprint_launchers.LocalJobsLauncher",
    "hydra_plugins.imprint_launchers.SlurmLauncher",
)

Conclude = Callable[[Sequence[Planned], Mapping[str, str]], object]


def run_grid(
    composer: Composer,
    launcher: Launcher,
    points: Sequence[Asked],
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
    grid = planned(composer, points, training)
    settings, outputs = grid[0].plan.parts.sweep, locate(grid[0].plan.parts.outputs)
    dry = grid[0].plan.parts.dry_run
    sweep = Sweep.named(settings.name or name_of(points, [point.name for point in grid]), outputs)
    log.info("Sweep %s", sweep.name)
    for line in described(grid, asked=len(points), outputs=outputs, listed=dry):
        log.info(line)
    for line in _of_launcher(launcher, grid):
        log.info(line)
    if dry:
        return
    sweep.note(
        question=settings.question,
        command=command_line(composer, command, arguments),
        objectives=settings.objectives,
        points=[point.point for point in grid],
    )
    own = own_settings(composer, arguments, sweep)
    keeper = Keeper(sweep, grid)
    observer = Observer(grid, choose_show(grid), keeper.keep, since=since)
    heard: Mapping[str, str] = {}
    lost: Exception | None = None
    try:
        with observer:
            heard = launch(launcher, grid, own)
    except Exception as error:  # of a launcher that lost a job, perhaps: the folders tell how the others are
        lost = error
    finally:
        keeper.end(observer.seen)
        log_sweep(sweep, grid[0].plan.parts.report.wandb)
        log.info("Summary: %s", sweep.summary)
        log.info("Report:  %s", sweep.report)
    if conclude:
        conclude(grid, reasons_of(grid, observer.seen, heard))
    if failure := failures(grid, observer.seen, heard):
        raise failure from lost
    if lost:
        raise lost


def launch(launcher: Launcher, points: Sequence[Planned], own: Mapping[str, str], *, first: int = 0) -> dict[str, str]:
    """Has everything trained and scored that is left of `points`, each with `own` settings. What another program is
    training is waited for, and gone on with where that one leaves it unfinished.

    Returns why points failed, by name, where the launcher brought it back.
    """
    heard: dict[str, str] = {}
    left = {point.name: point for point in points if point.to_do != "done"}
    is_told = False
    while left:
        free = [name for name, point in left.items() if not _is_busy(point.run)]
        returns = _launched(launcher, [left[name] for name in free], own, first) if free else []
        first += len(free)
        errors = {
            name: outcome(returned)
            for name, returned in zip(free, returns, strict=False)
            if returned.status == JobStatus.FAILED
        }
        busy = [name for name in left if name not in free or isinstance(errors.get(name), RunBusy)]
        heard |= {name: str(error) or type(error).__name__ for name, error in errors.items() if name not in busy}
        if busy and not is_told:
            is_told = True
            log.info("%d of %d points are being trained by another program: waiting for it.", len(busy), len(points))
        while busy and all(_is_busy(left[name].run) for name in busy):
            time.sleep(PATIENCE)
        again = [left[name].again() for name in busy]
        left = {point.name: point for point in again if point.to_do != "done" and point.run.status != "failed"}
    return heard


def own_settings(composer: Composer, arguments: Sequence[str], sweep: Sweep) -> dict[str, str]:
    """What every point is told beside what its command says."""
    given = {text.partition("=")[0] for text in arguments}
    is_away = str(composer.config.hydra.launcher["_target_"]).startswith(AWAY)
    own = {"sweep.name": sweep.name} | ({} if is_away else {QUIET: "off"})
    return {key: value for key, value in own.items() if key not in given}


def command_line(composer: Composer, command: Sequence[str], arguments: Sequence[str]) -> str:
    """As it was typed."""
    return shlex.join(["imprint", *command, *arguments, *composer.of_hydra])


def _launched(launcher: Launcher, points: Sequence[Planned], own: Mapping[str, str], first: int) -> Sequence[JobReturn]:
    """A launcher of this process takes what is prepared; others prepare it where it runs."""
    if hasattr(launcher, "launch_prepared"):
        returns: Sequence[JobReturn] = launcher.launch_prepared([point.prepared(own) for point in points], first)
    else:
        returns = launcher.launch([point.overrides(own) for point in points], initial_job_idx=first)
    return returns


def _of_launcher(launcher: Launcher, points: Sequence[Planned]) -> Iterable[str]:
    """What the launcher itself has to say of the trainings to come, if it has: `foretold(plans, names)`."""
    foretold = getattr(launcher, "foretold", None)
    trainings = [point for point in points if point.to_do not in ("done", "to score")]
    if foretold is None or not trainings:
        return ()
    lines: Iterable[str] = foretold([each.plan for each in trainings], [each.told for each in trainings])
    return lines


def _is_busy(run: Run) -> bool:
    """Whether another process is training it right now."""
    if not run.lock.is_file():
        return False
    lock = FileLock(run.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
