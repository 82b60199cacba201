"""The points of a sweep: which runs a command asks for, checked, and what is left to do for each."""

import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from imprint.composing import Composer
from imprint.errors import ConfigError, Problem, UserError
from imprint.kinds import name_of
from imprint.libraries.hydra import combinations
from imprint.overrides import shortened
from imprint.planning.parts import Plan, Prepared
from imprint.planning.prepare import prepare, with_reporting
from imprint.reporting.redaction import without_secrets
from imprint.runs import Run
from imprint.scoring.score import sheets_of
from imprint.suggestions import nearest
from imprint.sweeps import Point

LISTED = "the points of hydra.sweeper.points"
LONGEST_NAME = 40  # letters of the axes

ToDo = Literal["done", "to score", "to go on with", "to try again", "to train"]
Training = Callable[[DictConfig], DictConfig]  # a point's configuration -> that of `imprint train`


class SweepPoint(NamedTuple):
    """A point as the command asks for it."""

    overrides: tuple[str, ...]  # all that is set for it
    varied: tuple[str, ...]  # those of them in which points differ


class Work(NamedTuple):
    """How much there is to do for a run."""

    samples: int  # of the subject, over the training
    kind: tuple[str, ...]  # method, model, prior: with these in common, a sample costs the same
    profile: str | None  # that it is scored by


class PlannedPoint(NamedTuple):
    """A point that is prepared. `cfg` is what `imprint train` would be given for it."""

    asked: SweepPoint
    cfg: DictConfig
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
    def label(self) -> str:
        """The overrides in which it differs from other points, without secrets, to be read."""
        return " ".join(map(shortened, self.entry.overrides)) or self.name

    @property
    def profile(self) -> str | None:
        return self.plan.parts.evaluation.name if self.plan.parts.evaluation else None

    @property
    def entry(self) -> Point:
        """For the record of a sweep."""
        return Point(tuple(without_secrets(list(self.asked.varied))), self.run)

    def updated(self) -> "PlannedPoint":
        """With what is left to do now."""
        return self._replace(to_do=_to_do(self.plan))

    def prepared(self, common: Mapping[str, str]) -> Prepared:
        """For a launcher of this process, with `common` settings of all points, which do not change the result."""
        for key, value in common.items():
            OmegaConf.update(self.cfg, key, value)
        return Prepared(self.overrides(common), self.cfg, with_reporting(self.plan, self.cfg))

    def overrides(self, common: Mapping[str, str]) -> list[str]:
        settings = [f"{key}={value}" for key, value in common.items()]
        return [*self.asked.overrides, *settings, *self.plan.settled(self.cfg)]


def sweep_points(
    composer: Composer, arguments: Sequence[str], listed: Sequence[Any], by: str = LISTED
) -> list[SweepPoint]:
    """The combinations of the axes, for each of the listed points. Of arguments with the same key the last one counts.

    Raises ConfigError where the arguments and a listed point set the same key. `by` says who lists the points.
    """
    given = list({override.get_key_element(): override for override in composer.parse(arguments)}.values())
    lists = [overrides_of(point) for point in listed] or [[]]
    parsed = [composer.parse(point) for point in lists]
    if problems := list(_set_twice(given, parsed, by)):
        raise ConfigError(problems)
    axes = {override.get_key_element() for override in given if override.is_sweep_override()}
    found = []
    for own in parsed:
        keys = axes | {override.get_key_element() for override in own}
        for point in combinations([*own, *given]):
            found.append(SweepPoint(tuple(point), tuple(text for text in point if key_of(text) in keys)))
    return found


def plan_points(
    composer: Composer, points: Sequence[SweepPoint], training: Training | None = None
) -> list[PlannedPoint]:
    """Each run once, in the order of the points. Raises ConfigError with the problems of all points, each once."""
    found: dict[str, PlannedPoint] = {}
    faults: dict[str, list[str]] = {}
    for point in points:
        try:
            cfg = composer.point(point.overrides)
            new = plan_point(training(cfg) if training else cfg, point)
            found.setdefault(new.name, new)
        except (UserError, HydraException) as error:
            for problem in error.problems if isinstance(error, ConfigError) else [str(error)]:
                faults.setdefault(str(problem), []).append(" ".join(point.varied))
    if faults:
        raise ConfigError(_in_points(faults, len(points)))
    if unknown := _unknown_objective(composer, list(found.values())):
        raise ConfigError([unknown])
    return list(found.values())


def plan_point(cfg: DictConfig, asked: SweepPoint) -> PlannedPoint:
    """Raises ConfigError."""
    plan = prepare(cfg)
    return PlannedPoint(asked, cfg, plan, work_of(cfg, plan.facts.fingerprint), _to_do(plan))


def work_of(config: Mapping[str, Any], model: str) -> Work:
    """Of a run's configuration, and of the hash of its model."""
    hparams, evaluation = config["hparams"], config.get("evaluation")
    return Work(
        samples=hparams["steps"] * hparams["batch_size"],
        kind=(name_of(config["method"]), model, name_of(config["prior"])),
        profile=evaluation["name"] if evaluation else None,
    )


def sweep_name(points: Sequence[SweepPoint], runs: Sequence[str]) -> str:
    """The keys in which the points differ, and a hash of their runs."""
    differing = dict.fromkeys(key_of(text).lstrip("+").rpartition(".")[2] for point in points for text in point.varied)
    digest = hashlib.sha256(" ".join(sorted(runs)).encode()).hexdigest()[:6]
    return f"{'-'.join(name.replace('/', '_') for name in differing)[:LONGEST_NAME] or 'one'}-{digest}"


def overrides_of(point: Any) -> list[str]:
    """Of a listed point: a line, or a list of overrides."""
    return shlex.split(point) if isinstance(point, str) else [str(part) for part in point]


def key_of(text: str) -> str:
    return text.partition("=")[0]


def _to_do(plan: Plan) -> ToDo:
    if plan.run.status == "absent":
        return "to train"
    if plan.run.status != "finished":
        return "to go on with" if plan.run.checkpoint.is_file() else "to try again"
    return "done" if plan.parts.evaluation is None or sheets_of(plan) else "to score"


def _set_twice(given: Iterable[Override], listed: Sequence[Sequence[Override]], by: str) -> Iterable[Problem]:
    keys = {override.get_key_element(): override for override in given}
    for key in dict.fromkeys(override.get_key_element() for point in listed for override in point):
        if key in keys:
            value = str(keys[key].input_line).partition("=")[2]
            yield Problem(key, value, f"{by} set it, too. Leave it out of one of them.")


def _unknown_objective(composer: Composer, points: Sequence[PlannedPoint]) -> Problem | None:
    """An objective that is no metric of any evaluation."""
    names = points[0].plan.parts.sweep.objectives
    profiles = [point.plan.parts.evaluation for point in points]
    known = {*composer.options("metric"), *(name for profile in profiles if profile for name in profile.metrics)}
    unknown = next((name for name in names if name not in known), None)
    remedy = f"there is no metric {unknown!r}; {nearest(str(unknown), sorted(known))}"
    return Problem("sweep.objectives", list(names), remedy) if unknown is not None else None


def _in_points(faults: dict[str, list[str]], points: int) -> Iterator[Problem | str]:
    for problem, names in faults.items():
        if len(names) == points:
            yield problem
        else:
            more = f" and {len(names) - 1} more points" if len(names) > 1 else ""
            yield f"{problem} (in {names[0] or 'the only point'}{more})"
