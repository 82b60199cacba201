"""The points that a command asks for, checked: which run each is, and what is left to do for it."""

import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from imprint.composing import Composer
from imprint.errors import ConfigError, Problem, UserError
from imprint.kinds import name_of as class_name
from imprint.libraries.hydra import combinations
from imprint.planning.parts import Plan, Prepared
from imprint.planning.prepare import prepare, with_reporting
from imprint.runs import Run
from imprint.scoring.score import sheets_of
from imprint.suggestions import nearest
from imprint.sweeps import Point

LISTED = "the points of hydra.sweeper.points"
LONGEST_NAME = 40  # letters of the axes

ToDo = Literal["done", "to score", "to go on with", "to try again", "to train"]
Training = Callable[[DictConfig], DictConfig]  # from what a point is configured as to what `imprint train` is given


class Asked(NamedTuple):
    """One point: all that is set for it, and of this what tells it from the others."""

    overrides: tuple[str, ...]
    told: tuple[str, ...]


class Work(NamedTuple):
    """How much there is to do for a run."""

    samples: int  # of the subject, seen in training
    kind: tuple[str, ...]  # method, model, prior: runs that have these in common cost alike, sample for sample
    profile: str | None  # that it is scored by


class Planned(NamedTuple):
    """A point that is prepared. `cfg` is what `imprint train` would be given for it."""

    asked: Asked
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
    def told(self) -> str:
        """What it sets, as the command does."""
        return " ".join(self.asked.told) or self.name

    @property
    def profile(self) -> str | None:
        return self.plan.parts.evaluation.name if self.plan.parts.evaluation else None

    @property
    def point(self) -> Point:
        return Point(self.asked.told, self.run)

    def again(self) -> "Planned":
        """With what is left to do by now."""
        return self._replace(to_do=_to_do(self.plan))

    def prepared(self, own: Mapping[str, str]) -> Prepared:
        """For a launcher of this process, with `own` settings that are no part of the result."""
        for key, value in own.items():
            OmegaConf.update(self.cfg, key, value)
        return Prepared(self.overrides(own), self.cfg, with_reporting(self.plan, self.cfg))

    def overrides(self, own: Mapping[str, str]) -> list[str]:
        return [*self.asked.overrides, *(f"{key}={value}" for key, value in own.items())]


def asked(composer: Composer, arguments: Sequence[str], listed: Sequence[Any], by: str = LISTED) -> list[Asked]:
    """The combinations of the axes, for each of the listed points. Of two arguments about one key the later one counts.

    Raises ConfigError where the arguments and a listed point set the same key. `by` says who lists the points.
    """
    given = list({override.get_key_element(): override for override in composer.parse(arguments)}.values())
    lists = [words(point) for point in listed] or [[]]
    parsed = [composer.parse(point) for point in lists]
    if problems := list(_twice(given, parsed, by)):
        raise ConfigError(problems)
    axes = {override.get_key_element() for override in given if override.is_sweep_override()}
    found = []
    for own in parsed:
        keys = axes | {override.get_key_element() for override in own}
        for point in combinations([*own, *given]):
            found.append(Asked(tuple(point), tuple(text for text in point if key_of(text) in keys)))
    return found


def planned(composer: Composer, points: Sequence[Asked], training: Training | None = None) -> list[Planned]:
    """Each run once, in the order of the points. Raises ConfigError with what is wrong with any of them; what is wrong
    with many is said once."""
    found: dict[str, Planned] = {}
    faults: dict[str, list[str]] = {}
    for point in points:
        try:
            cfg = composer.point(point.overrides)
            new = planned_point(training(cfg) if training else cfg, point)
            found.setdefault(new.name, new)
        except (UserError, HydraException) as error:
            for problem in error.problems if isinstance(error, ConfigError) else [str(error)]:
                faults.setdefault(str(problem), []).append(" ".join(point.told))
    if faults:
        raise ConfigError(_in_points(faults, len(points)))
    if unknown := _unknown_objective(composer, list(found.values())):
        raise ConfigError([unknown])
    return list(found.values())


def planned_point(cfg: DictConfig, asked: Asked) -> Planned:
    """Raises ConfigError."""
    plan = prepare(cfg)
    return Planned(asked, cfg, plan, work_of(cfg, plan.facts.fingerprint), _to_do(plan))


def work_of(config: Mapping[str, Any], model: str) -> Work:
    """Of a run's configuration, and of the hash of its model."""
    hparams, evaluation = config["hparams"], config.get("evaluation")
    return Work(
        samples=hparams["steps"] * hparams["batch_size"],
        kind=(class_name(config["method"]), model, class_name(config["prior"])),
        profile=evaluation["name"] if evaluation else None,
    )


def name_of(points: Sequence[Asked], runs: Sequence[str]) -> str:
    """Says what the points differ in, and is the same whenever they come to the same runs."""
    differing = dict.fromkeys(key_of(text).lstrip("+").rpartition(".")[2] for point in points for text in point.told)
    digest = hashlib.sha256(" ".join(sorted(runs)).encode()).hexdigest()[:6]
    return f"{'-'.join(name.replace('/', '_') for name in differing)[:LONGEST_NAME] or 'one'}-{digest}"


def words(point: Any) -> list[str]:
    """The overrides of a listed point."""
    return shlex.split(point) if isinstance(point, str) else [str(part) for part in point]


def key_of(text: str) -> str:
    return text.partition("=")[0]


def _to_do(plan: Plan) -> ToDo:
    if plan.run.status == "absent":
        return "to train"
    if plan.run.status != "finished":
        return "to go on with" if plan.run.checkpoint.is_file() else "to try again"
    return "done" if plan.parts.evaluation is None or sheets_of(plan) else "to score"


def _twice(given: Iterable[Override], listed: Sequence[Sequence[Override]], by: str) -> Iterable[Problem]:
    keys = {override.get_key_element(): override for override in given}
    for key in dict.fromkeys(override.get_key_element() for point in listed for override in point):
        if key in keys:
            value = str(keys[key].input_line).partition("=")[2]
            yield Problem(key, value, f"{by} set it, too. Leave it out of one of them.")


def _unknown_objective(composer: Composer, points: Sequence[Planned]) -> Problem | None:
    """One that no evaluation could measure: it is misspelt."""
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
