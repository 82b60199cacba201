"""imprint study: does synthetic data help? Learners on arms of pictures, tested on photos apart."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from annotated_types import Ge, Lt
from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig
from pydantic import PositiveInt

from imprint.composing import Composer
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.launching.plan import SweepPoint, sweep_points
from imprint.libraries.hydra import is_basic, outcome
from imprint.locations import locate
from imprint.reporting.reporter import Reporter
from imprint.reporting.tracking.session import WandbSettings
from imprint.requests import as_list, read_request
from imprint.setting_types import Place
from imprint.study.arms import Arm, with_counts
from imprint.study.learners.base import Learner
from imprint.study.reading import read_material
from imprint.study.study import Study
from imprint.study.tasks.base import Task
from imprint.study.writing import PAGE
from imprint.tables.terminal import as_text
from imprint.training.trainer import available_device

log = logging.getLogger(__name__)

USUAL_JOBS = 4  # of a cluster, where the command does not say


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `study.yaml` asks for."""

    data: str | list[str]
    pictures: Mapping[str, Place] | None
    test: str | None
    parts: Literal["refuse", "tell"]
    subjects: list[str] | str | None
    task: Task
    arms: Mapping[str, Arm]
    learners: Mapping[str, Learner]
    encoders: Mapping[str, Encoder]
    shots: list[PositiveInt]
    seeds: list[Annotated[int, Ge(0), Lt(2**32)]]
    counts: Mapping[str, list[PositiveInt]] | None
    against: str
    ceiling: str
    out: Place
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    jobs: PositiveInt | None
    jobs_folder: Place
    report: Reporter | None
    dry_run: bool


def main(cfg: DictConfig) -> None:
    """A share of the cells, in the process that a launcher has started for it."""
    study_of(cfg).learn()


def run_studies(composer: Composer, launcher: Launcher, arguments: Sequence[str]) -> None:
    """Every key with several values is an axis: each combination is a study. Raises ConfigError with all that is wrong
    before anything is learned."""
    asked = list(_asked(composer, arguments))
    faults = [fault for each in asked for fault in _launcher_faults(launcher, each.request)]
    if faults:
        raise ConfigError(dict.fromkeys(faults))
    for each in asked:
        if each.request.dry_run:
            for line in (*each.study.plan(), *each.study.remarks()):
                log.info(line)
    left = [each for each in asked if not each.request.dry_run]
    if not is_basic(launcher):
        _launch(composer, launcher, left)
    for each in left:
        for table in each.study.carry_out(each.tracking):
            print(as_text(table), end="\n\n")
        log.info("Study: %s", each.study.folder / PAGE)


class Asked(NamedTuple):
    point: SweepPoint
    request: Request
    study: Study

    @property
    def tracking(self) -> WandbSettings | None:
        return self.request.report.wandb if self.request.report else None


def _asked(composer: Composer, arguments: Sequence[str]) -> Iterator[Asked]:
    problems: dict[str, None] = {}
    found: list[Asked] = []
    for point in sweep_points(composer, arguments, []):
        try:
            request = read_request(Request, composer.point(point.overrides))
            found.append(Asked(point, request, _study(request)))
        except UserError as error:
            problems |= dict.fromkeys(map(str, error.problems if isinstance(error, ConfigError) else [error]))
    outs = [str(each.study.folder) for each in found]
    if twice := sorted({out for out in outs if outs.count(out) > 1}):
        remedy = "several studies would lie there. Name what differs: 'out=outputs/study-${seeds}'."
        problems |= dict.fromkeys(str(Problem("out", out, remedy)) for out in twice)
    if problems:
        raise ConfigError(problems)
    yield from found


def _launcher_faults(launcher: Launcher, request: Request) -> Iterator[Problem]:
    if hasattr(launcher, "launch_prepared"):
        yield Problem("hydra/launcher", "stacked", "it is for trainings. Leave it out, or take joblib or slurm.")
    elif request.jobs is not None and is_basic(launcher):
        yield Problem("jobs", request.jobs, "these are of hydra/launcher=joblib or slurm. Give one, or leave jobs out.")


def _launch(composer: Composer, launcher: Launcher, asked: Sequence[Asked]) -> None:
    """Every job is the same command: they share the cells as any two programs do that carry out one study. Raises
    UserError where cells are left."""
    usual = composer.config.hydra.launcher
    jobs = [
        [*each.point.overrides]
        for each in asked
        for _ in range(min(each.request.jobs or usual.get("n_jobs") or USUAL_JOBS, len(each.study.missing())))
    ]
    if not jobs:
        return
    log.info("%d jobs share the cells.", len(jobs))
    returns = launcher.launch(jobs, initial_job_idx=0)
    reasons = dict.fromkeys(str(outcome(done)) for done in returns if done.status is JobStatus.FAILED)
    for each in asked:
        if left := each.study.missing():
            said = "; ".join(reasons) or "no job says why"
            raise UserError(
                f"{each.study.folder}: {len(left)} of {len(each.study.cells)} cells are not learned ({said}). The same "
                "command goes on with them."
            )
    for reason in reasons:
        log.warning("A job ended early, and others did its work: %s", reason)


def study(cfg: DictConfig) -> Path:
    """Carries it out: its folder."""
    request = read_request(Request, cfg)
    asked = _study(request)
    asked.carry_out(request.report.wandb if request.report else None)
    return asked.folder


def study_of(cfg: DictConfig) -> Study:
    """Raises ConfigError with all that is wrong, before anything is learned."""
    return _study(read_request(Request, cfg))


def _study(request: Request) -> Study:
    if problems := list(_faults(request)):
        raise ConfigError(problems)
    arms, members = with_counts(request.arms, request.counts or {})
    material = read_material(
        as_list(request.data),
        request.pictures or {},
        request.test,
        subjects=request.subjects,
        shots=request.shots,
        parts=request.parts,
    )
    found = Study(
        folder=locate(request.out),
        material=request.task.usable(material),
        task=request.task,
        arms=arms,
        members=members,
        learners=request.learners,
        encoders=request.encoders,
        shots=list(dict.fromkeys(request.shots)),
        seeds=list(dict.fromkeys(request.seeds)),
        against=request.against,
        ceiling=request.ceiling,
        device=available_device(request.accelerator),
    )
    found.check()
    return found


def _faults(request: Request) -> Iterator[Problem]:
    for name in ("shots", "seeds"):
        if not getattr(request, name):
            yield Problem(name, [], "give at least one.")
