"""imprint benchmark: one model for each subject of a collection, each scored, and all in one table.

A benchmark is a sweep whose points are the subjects, with each of the seeds, times the axes of the command; so it is
planned, launched, watched and resumed as one. Only its table is its own.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any

from annotated_types import Ge, Lt
from hydra.core.override_parser.types import Override
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, open_dict
from pydantic import NonNegativeInt, PositiveInt

from imprint.composing import Composer
from imprint.config import resolved
from imprint.construct import Constructor
from imprint.data.collections.base import Collection, Member
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.fingerprints import fingerprint
from imprint.evaluation.profile import SUBJECT
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.launching import run_grid, sweep_points
from imprint.launching.plan import PlannedPoint, key_of, overrides_of
from imprint.launching.status import first_line
from imprint.overrides import quoted
from imprint.reporting.scoreboard import cost_of, write
from imprint.runs import Run
from imprint.scoring.score import sheets_of
from imprint.verbs import train

log = logging.getLogger(__name__)

FOLDER = "benchmark"
BOOTSTRAP = 10_000  # resamples
SEED = 0  # of the bootstrap
NOT_IN_LABEL = ("dataset.class_noun", "dataset.kind", "dataset.path")  # settings that follow from the subject's name
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
    """A single point, in the process that a launcher has started for it."""
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
        [
            point._replace(varied=tuple(text for text in point.varied if key_of(text) not in NOT_IN_LABEL))
            for point in found
        ],
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
    """The short keys that are given, and the settings of the subject's prompts that they stand for."""
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


def write_tables(points: Sequence[PlannedPoint], failures: Mapping[str, str]) -> None:
    """In <outputs>/benchmark/<profile>-<fingerprint>/, of all score sheets in the folder with the fingerprints of these
    points: one table, or several where points are scored by different encoders, as those of another model may be.

    `failures` are reasons by the names of runs; those that lie in the runs' folders are added.
    """
    own = [file for point in points if point.name not in failures for file in sheets_of(point.plan)]
    outputs, profile = points[0].run.folder.parent, points[0].profile
    assert profile is not None
    runs = [Run(manifest.parent) for manifest in sorted(outputs.glob("*/manifest.json"))]
    sheets = [sheet for run in runs for sheet in _sheets(run, profile)]
    reasons = {**_failures(runs), **{name: first_line(reason) for name, reason in failures.items()}}
    for found in dict.fromkeys(_fingerprint(ScoreSheet.read(file)) for file in own):
        files = write(
            [sheet for sheet in sheets if _fingerprint(sheet) == found],
            outputs / FOLDER / f"{profile}-{found}",
            title=f"Benchmark: {profile}",
            costs={run.folder.name: cost_of(run) for run in runs},
            notes=[f"{name} failed: {_line(reason)}" for name, reason in sorted(reasons.items())],
            bootstrap=BOOTSTRAP,
            seed=SEED,
        )
        log.info("Table: %s", files.markdown)


def _sheets(run: Run, profile: str) -> Iterator[ScoreSheet]:
    for file in sorted((run.folder / "scores").glob(f"{profile}-*.json")):
        yield ScoreSheet.read(file)


def _fingerprint(sheet: ScoreSheet) -> str:
    return fingerprint({name: facts.fingerprint for name, facts in sheet.metrics.items()})


def _failures(runs: Sequence[Run]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for run in runs:
        try:
            manifest = run.read()
        except UserError as error:
            reasons[run.folder.name] = str(error)
            continue
        if manifest.status == "failed":
            reasons[run.folder.name] = manifest.error
        elif (note := run.scoring_error).is_file():
            reasons[run.folder.name] = f"it is trained and cannot be scored: {note.read_text(encoding='utf-8')}"
    return reasons


def _line(text: str) -> str:
    """All of it in one line; of a stack trace the end alone."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines) if "Traceback" not in text else lines[-1]
