"""imprint benchmark: one model for each subject of a collection, each scored, and all in one table.

A benchmark is a sweep whose points are the subjects, with each of the seeds, times the axes of the command; so it is
planned, launched, watched and gone on with as one. Only its table is its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any

from annotated_types import Ge, Lt
from hydra.core.override_parser.types import Override
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, open_dict
from pydantic import NonNegativeInt, PositiveInt

from imprint.composing import Composer, quoted
from imprint.config import resolved
from imprint.construct import Constructor
from imprint.data.collections.base import Collection, Member
from imprint.errors import ConfigError, Problem
from imprint.evaluation.profile import SUBJECT
from imprint.launching import run_grid, sweep_points
from imprint.launching.plan import key_of, overrides_of
from imprint.verbs import train
from imprint.verbs.benchmark.table import write_tables

UNTOLD = ("dataset.class_noun", "dataset.kind", "dataset.path")  # of a subject; its name tells it from the others
ONE = "a benchmark has one, since a table holds what was scored alike."


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `benchmark.yaml` adds to what a training is made of."""

    collection: Collection
    subjects: list[str] | None
    seeds: list[Annotated[int, Ge(0), Lt(2**32)]] | None
    images: PositiveInt | None  # these two restrict the prompts about the subject
    prompts: list[NonNegativeInt] | None


OWN = tuple(field.name for field in fields(Request))


def main(cfg: DictConfig) -> float | list[float] | None:
    """One point of it, where a launcher has brought it to another process."""
    return train.main(training_of(cfg))


def run_benchmark(
    composer: Composer, launcher: Launcher, arguments: Sequence[str], *, axes: Sequence[str], listed: Sequence[Any]
) -> None:
    """`axes` and `listed` points are those of an experiment. Raises as `run_grid`."""
    given = [*axes, *arguments]
    request = _read_request(composer, composer.parse(given))
    seeds = [[]] if request.seeds is None else [[f"seed={seed}"] for seed in request.seeds]
    points = [
        [*_settings(member), *seed, *overrides_of(point)]
        for member in request.collection.members(request.subjects)
        for seed in seeds
        for point in listed or [[]]
    ]
    found = sweep_points(composer, given, points, by="the collection, seeds and hydra.sweeper.points")
    run_grid(
        composer,
        launcher,
        [point._replace(varied=tuple(text for text in point.varied if key_of(text) not in UNTOLD)) for point in found],
        arguments,
        command=["benchmark"],
        training=training_of,
        conclude=write_tables,
    )


def training_of(cfg: DictConfig) -> DictConfig:
    """What `imprint train` would be given to make the very same run. Changes `cfg`."""
    with open_dict(cfg):
        for key, setting in _restricted(cfg):
            cfg.evaluation.pictures[SUBJECT][setting] = cfg[key]
        cfg.name = f"{cfg.dataset.subject}-{cfg.name}"
        for key in OWN:
            del cfg[key]
    return cfg


def _read_request(composer: Composer, given: Sequence[Override]) -> Request:
    fixed = [str(override.input_line) for override in given if not override.is_sweep_override()]
    tree = resolved(composer.point(fixed))
    constructor = Constructor()
    request = constructor.arguments(Request, {name: tree[name] for name in OWN}, "")
    if problems := [*constructor.problems, *_swept(given), *_faults(tree)]:
        raise ConfigError(problems)
    return Request(**request)


def _restricted(tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The short keys that are given, and where they belong among the prompts of the subject itself."""
    for key, setting in (("images", "images"), ("prompts", "numbers")):
        if tree[key] is not None:
            yield key, setting


def _swept(given: Sequence[Override]) -> Iterator[Problem]:
    for override in given:
        key = override.get_key_element()
        if override.is_sweep_override() and key.partition(".")[0] in (*OWN, "evaluation"):
            yield Problem(key, str(override.input_line).partition("=")[2], ONE)


def _faults(tree: Mapping[str, Any]) -> Iterator[Problem]:
    seeds, evaluation = tree["seeds"], tree["evaluation"]
    if isinstance(seeds, list) and (not seeds or len(set(map(str, seeds))) < len(seeds)):
        yield Problem("seeds", seeds, "give at least one, and each only once.")
    if evaluation is None:
        yield Problem("evaluation", "none", "a benchmark scores what it trains: choose one, as evaluation=quick.")
    elif SUBJECT not in evaluation["pictures"]:
        for key, _ in _restricted(tree):
            yield Problem(key, tree[key], "this evaluation asks for no pictures of the subject. Leave it out.")


def _settings(member: Member) -> list[str]:
    return [f"dataset.{key}={quoted(value)}" for key, value in member.settings.items()]
