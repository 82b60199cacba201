"""A grid from plan to summary."""

import logging
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher

from imprint.composing import Composer
from imprint.launching.axes import asked, name_of
from imprint.launching.keeping import Keeper
from imprint.launching.observing import Observer
from imprint.launching.prospects import Prospect, prospects
from imprint.launching.showing import choose_show
from imprint.launching.summing_up import failures
from imprint.launching.telling import described
from imprint.libraries.hydra import outcome
from imprint.locations import locate
from imprint.reporting.tracking.sweep import log_sweep
from imprint.sweeps import Sweep

log = logging.getLogger(__name__)

QUIET = "report.progress"  # of the points: they share one terminal, and the sweep is shown there
# Launchers whose points write to files of their own, where a line every few seconds is welcome.
AWAY = (
    "hydra_plugins.hydra_submitit_launcher",
    "hydra_plugins.imprint_launchers.LocalJobsLauncher",
    "hydra_plugins.imprint_launchers.SlurmLauncher",
)


def run_grid(
    composer: Composer, launcher: Launcher, arguments: Sequence[str], *, axes: Sequence[str], listed: Sequence[Any]
) -> Sequence[Any]:
    """What the points that were launched returned. Points that are done are not launched. `axes` are arguments that the
    command's take the place of.

    Raises ConfigError, before any point starts, with what is wrong with any; UserError, after all of them ended, with
    those that failed.
    """
    points = asked(composer, [*axes, *arguments], listed)
    planned = prospects(composer, points)
    settings, outputs = planned[0].plan.parts.sweep, locate(planned[0].plan.parts.outputs)
    dry = planned[0].plan.parts.dry_run
    sweep = Sweep.named(settings.name or name_of(points, [prospect.name for prospect in planned]), outputs)
    log.info("Sweep %s", sweep.name)
    for line in described(planned, asked=len(points), outputs=outputs, listed=dry):
        log.info(line)
    left = [prospect for prospect in planned if prospect.to_do != "done"]
    for line in _of_launcher(launcher, left):
        log.info(line)
    if dry:
        return []
    sweep.note(
        question=settings.question,
        command=shlex.join(["imprint", "train", "-m", *arguments, *composer.of_hydra]),
        objectives=settings.objectives,
        points=[prospect.point for prospect in planned],
    )
    own = own_settings(composer, arguments, sweep)
    launch = partial(launcher.launch, [[*each.asked.overrides, *own] for each in left], initial_job_idx=0)
    returns = _watched(sweep, planned, launch if left else list)
    return [each.return_value for each in returns]


def _of_launcher(launcher: Launcher, left: Sequence[Prospect]) -> Iterable[str]:
    """What the launcher itself has to say of the trainings to come, if it has: `foretold(plans, names)`."""
    foretold = getattr(launcher, "foretold", None)
    trainings = [prospect for prospect in left if prospect.to_do != "to score"]
    if foretold is None or not trainings:
        return ()
    lines: Iterable[str] = foretold([each.plan for each in trainings], [each.told for each in trainings])
    return lines


def _watched(sweep: Sweep, planned: Sequence[Prospect], launch: Callable[[], Sequence[JobReturn]]) -> list[JobReturn]:
    keeper = Keeper(sweep, planned)
    observer = Observer(planned, choose_show(planned), keeper.keep)
    returns: Sequence[JobReturn] = []
    lost: Exception | None = None
    try:
        with observer:
            returns = launch()
    except Exception as error:  # of a launcher that lost a job, perhaps: the folders tell how the others are
        lost = error
    finally:
        keeper.end(observer.seen)
        log_sweep(sweep, planned[0].plan.parts.report.wandb)
        log.info("Summary: %s", sweep.summary)
        log.info("Report:  %s", sweep.report)
    left = [prospect for prospect in planned if prospect.to_do != "done"]
    if failure := failures(planned, observer.seen, heard(left, returns)):
        raise failure from lost
    if lost:
        raise lost
    return list(returns)


def own_settings(composer: Composer, arguments: Sequence[str], sweep: Sweep) -> list[str]:
    """What every point is told beside what its command says."""
    given = {text.partition("=")[0] for text in arguments}
    is_away = str(composer.config.hydra.launcher["_target_"]).startswith(AWAY)
    own = {"sweep.name": sweep.name} | ({} if is_away else {QUIET: "off"})
    return [f"{key}={value}" for key, value in own.items() if key not in given]


def heard(left: Sequence[Prospect], returns: Sequence[JobReturn]) -> Mapping[str, str]:
    """Why points failed, where the launcher brought it back."""
    return {
        prospect.name: str(outcome(each)) or type(outcome(each)).__name__
        for prospect, each in zip(left, returns, strict=False)
        if each.status == JobStatus.FAILED
    }
