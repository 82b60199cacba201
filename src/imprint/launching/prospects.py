"""A sweep's points, checked: which run each is, and what is left to do for it."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from hydra.errors import HydraException
from omegaconf import DictConfig

from imprint.build import Plan, prepare, scored
from imprint.composing import Composer
from imprint.errors import ConfigError, Problem, UserError
from imprint.launching.axes import Asked
from imprint.launching.work import Work, work_of
from imprint.runs import Run
from imprint.sweeps import Point

ToDo = Literal["done", "to score", "to go on with", "to try again", "to train"]


class Prospect(NamedTuple):
    asked: Asked
    plan: Plan
    work: Work
    to_do: ToDo

    @property
    def run(self) -> Run:
        return self.plan.run

    @property
    def name(self) -> str:
        return self.run.folder.name

    @property
    def told(self) -> str:
        """What it sets, as the command does."""
        return " ".join(self.asked.told) or self.name

    @property
    def profile(self) -> str | None:
        return self.plan.parts.evaluation.name if self.plan.parts.evaluation else None

    @property
    def point(self) -> Point:
        return Point(self.asked.told, self.run)


def prospects(composer: Composer, points: Sequence[Asked]) -> list[Prospect]:
    """Each run once, in the order of the points. Raises ConfigError with what is wrong with any of them; what is wrong
    with many is said once."""
    found: dict[str, Prospect] = {}
    faults: dict[str, list[str]] = {}
    for asked in points:
        try:
            prospect = prospect_of(composer.point(asked.overrides), asked)
            found.setdefault(prospect.name, prospect)
        except (UserError, HydraException) as error:
            for problem in error.problems if isinstance(error, ConfigError) else [str(error)]:
                faults.setdefault(str(problem), []).append(" ".join(asked.told))
    if faults:
        raise ConfigError(_told(faults, len(points)))
    return list(found.values())


def prospect_of(cfg: DictConfig, asked: Asked) -> Prospect:
    """Raises ConfigError."""
    plan = prepare(cfg)
    return Prospect(asked, plan, work_of(cfg, plan.facts.fingerprint), _to_do(plan))


def _to_do(plan: Plan) -> ToDo:
    run, profile = plan.run, plan.parts.evaluation
    if run.status == "absent":
        return "to train"
    if run.status != "finished":
        return "to go on with" if run.checkpoint.is_file() else "to try again"
    accelerator, encoders = plan.parts.trainer.accelerator, plan.parts.model.encoders
    if profile is None or scored(run, profile, accelerator=accelerator, encoders=encoders):
        return "done"
    return "to score"


def _told(faults: dict[str, list[str]], points: int) -> Iterator[Problem | str]:
    for problem, names in faults.items():
        if len(names) == points:
            yield problem
        else:
            more = f" and {len(names) - 1} more points" if len(names) > 1 else ""
            yield f"{problem} (in {names[0] or 'the only point'}{more})"
