"""imprint study: does synthetic data help? Learners on arms of pictures, tested on photos apart."""

import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig

from imprint.composing import Composer
from imprint.errors import ConfigError, Problem, UserError
from imprint.launching.plan import SweepPoint, sweep_points
from imprint.libraries.hydra import is_basic, outcome
from imprint.locations import locate
from imprint.overrides import has_several, in_quotes
from imprint.reporting.tracking.session import WandbSettings
from imprint.requests import read_request
from imprint.study.choosing import read_record
from imprint.study.study import Study
from imprint.study.writing import PAGE
from imprint.tables.terminal import as_text
from imprint.verbs.study.drawing import VERB, Drawer, ToDraw, to_draw, words_of
from imprint.verbs.study.request import Request, material_of, study_from
from imprint.verbs.study.searching import is_search, run_search

log = logging.getLogger(__name__)

USUAL_JOBS = 4  # of a cluster, where the command does not say


def main(cfg: DictConfig) -> None:
    """A share of the cells, in the process that a launcher has started for it."""
    study_of(cfg).learn()


def run_studies(
    composer: Composer,
    launcher: Launcher,
    arguments: Sequence[str],
    *,
    context: HydraContext,
    sampling: Mapping[str, Any],
) -> None:
    """Every key with several values is an axis: each combination is a study, or what a search tries. `sampling` are the
    sweeper's settings. Raises ConfigError with all that is wrong before anything is drawn or learned."""
    arguments = with_choice(composer, arguments)
    fixed = [str(each.input_line) for each in composer.parse(arguments) if not each.is_sweep_override()]
    if is_search(composer.point(fixed)):
        run_search(composer, launcher, arguments, Drawer(context), sampling)
        return
    if "n_trials" in sampling:
        raise ConfigError([Problem("search.arm", None, "say for which arm Optuna searches: search.arm=synthetic.")])
    asked = list(_asked(composer, arguments))
    if faults := [fault for each in asked for fault in _launcher_faults(launcher, each.request)]:
        raise ConfigError(dict.fromkeys(faults))
    _draw(context, asked)
    studies = _studies(asked)
    for each, found in studies:
        if each.request.dry_run:
            for line in (*found.plan(), *found.remarks()):
                log.info(line)
    left = [(each, found) for each, found in studies if not each.request.dry_run]
    if not is_basic(launcher):
        _launch(composer, launcher, left)
    for each, found in left:
        for table in found.carry_out(each.tracking):
            print(as_text(table), end="\n\n")
        log.info("Study: %s", found.folder / PAGE)


class Asked(NamedTuple):
    point: SweepPoint
    request: Request

    @property
    def folder(self) -> Path:
        return locate(self.request.out)

    @property
    def tracking(self) -> WandbSettings | None:
        return self.request.report.wandb if self.request.report else None


def with_choice(composer: Composer, arguments: Sequence[str]) -> list[str]:
    """With `chosen=FOLDER`: behind the settings that a search there has found best, so that the command's own have
    their way."""
    given = {each.get_key_element(): each for each in composer.parse(arguments)}
    if "chosen" not in given or (place := given["chosen"].value()) is None:
        return list(arguments)
    record = read_record(locate(str(place)))
    varied = record.best.settings
    words = [*record.words, *(text.removeprefix(f"{VERB}.") for text in varied if text.startswith(f"{VERB}."))]
    if (own := given.get(VERB)) is not None and own.value() is not None:
        words += words_of(str(own.value()))
    settings = [*record.fixed, *(text for text in varied if not text.startswith(f"{VERB}."))]
    drawing = [f"{VERB}={in_quotes(shlex.join(_last_of_each(words)))}"] if words else []
    return [*settings, *arguments, *drawing]


def _last_of_each(overrides: Sequence[str]) -> list[str]:
    return list({text.partition("=")[0]: text for text in overrides}.values())


def _asked(composer: Composer, arguments: Sequence[str]) -> Iterator[Asked]:
    problems: dict[str, None] = {}
    found: list[Asked] = []
    for point in sweep_points(composer, arguments, []):
        try:
            request = read_request(Request, composer.point(point.overrides))
            _wanted(request)
            found.append(Asked(point, request))
        except UserError as error:
            problems |= _each(error)
    outs = [str(each.folder) for each in found]
    if twice := sorted({out for out in outs if outs.count(out) > 1}):
        remedy = "several studies would lie there. Name what differs: 'out=outputs/study-${seeds}'."
        problems |= dict.fromkeys(str(Problem("out", out, remedy)) for out in twice)
    if problems:
        raise ConfigError(problems)
    yield from found


def _draw(context: HydraContext, asked: Sequence[Asked]) -> None:
    """What the studies have drawn for themselves. Raises ConfigError, before that, with what is wrong with photos."""
    wanted = [(each, one) for each in asked for one in _wanted(each.request)]
    if not wanted:
        return
    drawer = Drawer(context)
    problems: dict[str, None] = {}
    for each in asked:
        try:
            for one in _wanted(each.request):
                drawer.check(one.settings)
            material_of(each.request, [])
        except UserError as error:
            problems |= _each(error)
    if problems:
        raise ConfigError(problems)
    for each, one in wanted:
        drawer.draw(one, dry_run=each.request.dry_run)


def _studies(asked: Sequence[Asked]) -> list[tuple[Asked, Study]]:
    problems: dict[str, None] = {}
    found = []
    for each in asked:
        if each.request.dry_run and not all(one.set.folder.is_dir() for one in _wanted(each.request)):
            log.info("%s: what is learned can be told when this is drawn.", each.folder)
            continue
        try:
            found.append((each, _study(each.request)))
        except UserError as error:
            problems |= _each(error)
    if problems:
        raise ConfigError(problems)
    return found


def _each(error: UserError) -> dict[str, None]:
    return dict.fromkeys(map(str, error.problems if isinstance(error, ConfigError) else [error]))


def _launcher_faults(launcher: Launcher, request: Request) -> Iterator[Problem]:
    if hasattr(launcher, "launch_prepared"):
        yield Problem("hydra/launcher", "stacked", "it is for trainings. Leave it out, or take joblib or slurm.")
    elif request.jobs is not None and is_basic(launcher):
        yield Problem("jobs", request.jobs, "these are of hydra/launcher=joblib or slurm. Give one, or leave jobs out.")


def _launch(composer: Composer, launcher: Launcher, asked: Sequence[tuple[Asked, Study]]) -> None:
    """Every job is the same command: they share the cells as any two programs do that carry out one study. Raises
    UserError where cells are left."""
    usual = composer.config.hydra.launcher
    jobs = [
        [*each.point.overrides]
        for each, found in asked
        for _ in range(min(each.request.jobs or usual.get("n_jobs") or USUAL_JOBS, len(found.missing())))
    ]
    if not jobs:
        return
    log.info("%d jobs share the cells.", len(jobs))
    returns = launcher.launch(jobs, initial_job_idx=0)
    reasons = dict.fromkeys(str(outcome(done)) for done in returns if done.status is JobStatus.FAILED)
    for _, found in asked:
        if left := found.missing():
            said = "; ".join(reasons) or "no job says why"
            raise UserError(
                f"{found.folder}: {len(left)} of {len(found.cells)} cells are not learned ({said}). The same "
                "command goes on with them."
            )
    for reason in reasons:
        log.warning("A job ended early, and others did its work: %s", reason)


def study_of(cfg: DictConfig) -> Study:
    """Raises ConfigError with all that is wrong, before anything is learned."""
    return _study(read_request(Request, cfg))


def _study(request: Request) -> Study:
    """What it has drawn for itself is there."""
    return study_from(request, material_of(request, [one.set for one in _wanted(request)]))


def _wanted(request: Request) -> list[ToDraw]:
    """Raises ConfigError for several values of a key."""
    words = words_of(request.synthesise or "")
    if several := [text for text in words if has_several(text)]:
        remedy = "several values are for a search: say for which arm (search.arm=synthetic), or give one."
        raise ConfigError([Problem(VERB, several[0], remedy)])
    return to_draw(words, request.shots, locate(request.out), renamed=False) if words else []
