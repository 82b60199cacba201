"""What a benchmark consists of: a run for each subject and seed, all checked before any is begun."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from annotated_types import Ge, Lt
from omegaconf import DictConfig, open_dict
from pydantic import NonNegativeInt, PositiveInt

from imprint.build import Plan, prepare
from imprint.build.judged import features_for
from imprint.config import resolved
from imprint.construct import Constructor
from imprint.data.collections.base import Collection, Member
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.profile import SUBJECT, Here, Profile
from imprint.locations import locate
from imprint.runs import Run


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `benchmark.yaml` adds to what a training is made of."""

    collection: Collection
    evaluation: Profile
    subjects: list[str] | None
    seeds: list[Annotated[int, Ge(0), Lt(2**32)]]
    images: PositiveInt | None  # these two restrict the prompts about the subject
    prompts: list[NonNegativeInt] | None
    processes: PositiveInt
    dry_run: bool


class Job(NamedTuple):
    """One run of the benchmark. `cfg` is what `imprint train` would be given to make the very same."""

    member: Member
    seed: int
    cfg: DictConfig
    plan: Plan
    trained: bool  # before the benchmark began

    @property
    def run(self) -> Run:
        return self.plan.run

    @property
    def name(self) -> str:
        return self.run.folder.name


class Campaign(NamedTuple):
    request: Request
    jobs: Sequence[Job]
    outputs: Path
    evaluation: Mapping[str, Any]  # the configuration of request.evaluation
    accelerator: str


def planned(cfg: DictConfig) -> Campaign:
    """Raises ConfigError with everything that is wrong with any of the runs, or stands in the way of scoring them."""
    tree = resolved(cfg)
    request = _read_request(tree)
    problems = _Problems()
    jobs = [
        Job(member, seed, run_cfg, plan, plan.run.status == "finished")
        for member in request.collection.members(request.subjects)
        for seed in request.seeds
        for run_cfg in [_training_of(cfg, member, seed)]
        for plan in problems.tried(member.name, run_cfg)
    ]
    for job in jobs:
        problems.add(job.member.name, list(request.evaluation.problems(_photos(job.plan))))
    problems.raise_if_any(_of_encoders(jobs[:1], request.evaluation))
    return Campaign(request, jobs, locate(cfg.outputs), tree["evaluation"], cfg.trainer.accelerator)


def _read_request(tree: Mapping[str, Any]) -> Request:
    problems: list[Problem | str] = [*_restrict(tree)]
    own = {field.name: tree[field.name] for field in fields(Request) if field.name in tree}
    if own.get("evaluation") is None:  # evaluation=none is for trainings; here it is as good as missing
        own.pop("evaluation", None)
    constructor = Constructor()
    constructor.check_names(Request, own, "")
    given = constructor.arguments(Request, own, "")
    problems += [*constructor.problems, *_faults(tree)]
    if problems:
        raise ConfigError(problems)
    return Request(**given)


def _restrict(tree: Mapping[str, Any]) -> Iterator[Problem]:
    """Puts the short keys where they belong: `images` and `prompts` are about the prompts of the subject itself."""
    about = ((tree.get("evaluation") or {}).get("pictures") or {}).get(SUBJECT)
    for key, setting in (("images", "images"), ("prompts", "numbers")):
        if tree.get(key) is None:
            continue
        if about is None:
            yield Problem(key, tree[key], "this evaluation asks for no pictures of the subject. Leave it out.")
        else:
            about[setting] = tree[key]


def _faults(tree: Mapping[str, Any]) -> Iterator[Problem | str]:
    seeds = tree.get("seeds")
    if isinstance(seeds, list) and (not seeds or len(set(map(str, seeds))) < len(seeds)):
        yield Problem("seeds", seeds, "give at least one, and each only once.")
    for name in ("devices", "nodes"):
        if (count := tree["trainer"].get(name, 1)) != 1:
            remedy = "a benchmark trains each model on one device. Use processes=N for several at once."
            yield Problem(f"trainer.{name}", count, remedy)


def _training_of(cfg: DictConfig, member: Member, seed: int) -> DictConfig:
    """The configuration of one training: that of the benchmark, with the subject's data set and name put into it."""
    own = copy.deepcopy(cfg)
    with open_dict(own):
        for field in fields(Request):
            del own[field.name]
        own.evaluation = None  # it is scored when it is finished
        own.dry_run = False
        own.name = f"{member.name}-{own.name}"
        own.seed = seed
        own.dataset.update(member.settings)
    return own


def _of_encoders(jobs: Sequence[Job], profile: Profile) -> list[Problem | str]:
    """They are the same for all runs: checked once."""
    problems: list[Problem | str] = []
    for parts in (job.plan.parts for job in jobs):
        features_for(profile, {**profile.encoders, **parts.model.encoders}, parts.trainer.device, problems)
    return problems


def _photos(plan: Plan) -> Here:
    [(_, dataset, pictures)] = plan.subjects
    held_out = len(dataset.held_out() or ()) if dataset.holdout else 0
    return Here(len(pictures) + held_out, len(pictures), held_out, 0)


class _Problems:
    """Of all subjects; what many of them share is told once."""

    def __init__(self) -> None:
        self._subjects: dict[str, list[str]] = {}
        self._asked: dict[str, None] = {}

    def tried(self, subject: str, cfg: DictConfig) -> list[Plan]:
        """The plan, or none and its problems kept."""
        self._asked[subject] = None
        try:
            return [prepare(cfg)]
        except ConfigError as error:
            self.add(subject, error.problems)
        except UserError as error:
            self.add(subject, [str(error)])
        return []

    def add(self, subject: str, problems: Sequence[Problem | str]) -> None:
        for problem in problems:
            names = self._subjects.setdefault(str(problem), [])
            if subject not in names:
                names.append(subject)

    def raise_if_any(self, others: Sequence[Problem | str]) -> None:
        own = [self._told(text, names) for text, names in self._subjects.items()]
        if own or others:
            raise ConfigError([*own, *others])

    def _told(self, text: str, names: Sequence[str]) -> str:
        return text if len(names) == len(self._asked) else f"{', '.join(names)}: {text}"
