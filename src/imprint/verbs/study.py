"""imprint study: does synthetic data help? Learners on arms of pictures, tested on photos apart."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Lt
from omegaconf import DictConfig
from pydantic import PositiveInt

from imprint.errors import ConfigError, Problem
from imprint.evaluation.encoders.base import Encoder
from imprint.locations import locate
from imprint.requests import as_list, read_request
from imprint.setting_types import Place
from imprint.study.arms import Arm, with_counts
from imprint.study.examples import read_material
from imprint.study.learners.base import Learner
from imprint.study.study import Study
from imprint.study.tasks.base import Task
from imprint.study.writing import PAGE
from imprint.tables.terminal import as_text
from imprint.training.trainer import available_device

log = logging.getLogger(__name__)


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
    dry_run: bool


def main(cfg: DictConfig) -> None:
    asked = study_of(cfg)
    if cfg.dry_run:
        for line in (*asked.plan(), *asked.remarks()):
            log.info(line)
        return
    for table in asked.carry_out():
        print(as_text(table), end="\n\n")
    log.info("Study: %s", asked.folder / PAGE)


def study(cfg: DictConfig) -> Path:
    """Carries it out: its folder."""
    asked = study_of(cfg)
    asked.carry_out()
    return asked.folder


def study_of(cfg: DictConfig) -> Study:
    """Raises ConfigError with all that is wrong, before anything is learned."""
    request = read_request(Request, cfg)
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
