"""What `imprint study` is asked for, and the study that it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Lt
from pydantic import PositiveInt

from imprint.errors import ConfigError, Problem
from imprint.evaluation.encoders.base import Encoder
from imprint.locations import locate
from imprint.reporting.reporter import Reporter
from imprint.requests import as_list
from imprint.setting_types import Place
from imprint.study import choosing
from imprint.study.arms import Arm, Member, with_counts
from imprint.study.examples import Material
from imprint.study.learners.base import Learner
from imprint.study.reading import DrawnSet, read_material
from imprint.study.study import Study
from imprint.study.tasks.base import Task
from imprint.training.trainer import available_device


@dataclass(frozen=True, kw_only=True)
class Search:
    """Which arm settings are tried for, and by which metric they are compared."""

    arm: str | None
    metric: str | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `study.yaml` asks for."""

    data: str | list[str]
    pictures: Mapping[str, Place] | None
    synthesise: str | None
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
    search: Search
    chosen: Place | None
    out: Place
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    jobs: PositiveInt | None
    jobs_folder: Place
    report: Reporter | None
    dry_run: bool


def material_of(request: Request, drawn: Sequence[DrawnSet]) -> Material:
    """Raises ConfigError with all that is wrong with the pictures."""
    if problems := list(_faults(request)):
        raise ConfigError(problems)
    material = read_material(
        as_list(request.data),
        request.pictures or {},
        request.test,
        drawn,
        subjects=request.subjects,
        shots=request.shots,
        parts=request.parts,
    )
    material = request.task.usable(material)
    if request.chosen is not None:
        folder = locate(request.chosen)
        if problems := list(choosing.problems(choosing.read_record(folder), folder, material)):
            raise ConfigError(problems)
    return material


def study_from(request: Request, material: Material, tried: Mapping[str, Arm] | None = None) -> Study:
    """With `tried` arms in the place of the one that is searched for. Raises ConfigError."""
    given = {name: arm for name, arm in request.arms.items() if tried is None or name != request.search.arm}
    arms, members = with_counts(given, request.counts or {})
    arms |= tried or {}
    members |= {name: Member(name, None) for name in tried or ()}
    found = Study(
        folder=locate(request.out),
        material=material,
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
