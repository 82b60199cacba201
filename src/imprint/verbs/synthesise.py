"""imprint synthesise: from a few photos of subjects to a labelled data set.

Of a collection, what is missing is trained first: a sweep over its subjects, as a benchmark is one, whose runs are
those that `imprint train` makes. Every key with several values is an axis, and each combination is a data set.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig, open_dict
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from imprint.composing import Composer
from imprint.config import resolved
from imprint.construct import Constructor
from imprint.data.collections.base import Collection, Member
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.filters.base import Filter
from imprint.kinds import recorded
from imprint.launching import run_grid
from imprint.launching.plan import PlannedPoint, SweepPoint, plan_points, sweep_points
from imprint.locations import locate
from imprint.masks.base import Estimator
from imprint.overrides import quoted
from imprint.planning.parts import Plan
from imprint.provenance.base import Provenance
from imprint.requests import Scale, as_list
from imprint.results.load import own_model
from imprint.runs import Run
from imprint.setting_types import Place
from imprint.synthesis.base import Settings, Synthesis
from imprint.synthesis.data_set import DataSet
from imprint.synthesis.drawing import How
from imprint.synthesis.taught import Taught, taught_by, to_be_taught
from imprint.training.trainer import available_device
from imprint.verbs import train

log = logging.getLogger(__name__)

OF_PICTURES = ("guidance", "steps", "scheduler", "negative_prompt", "base", "size", "noise_seed", "scale")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `synthesise.yaml` adds to what a training is made of."""

    run: str | list[str] | None
    collection: Collection | None
    subjects: list[str] | None
    synthesis: Synthesis
    filter: Mapping[str, Filter]
    masks: Estimator | None
    encoders: Mapping[str, Encoder]
    images: PositiveInt
    out: Place
    test: str | None
    guidance: NonNegativeFloat | list[NonNegativeFloat] | None
    steps: PositiveInt | None
    scheduler: str | None
    negative_prompt: str | None
    base: str | None
    size: tuple[PositiveInt, PositiveInt] | None
    noise_seed: NonNegativeInt
    batch_size: PositiveInt | None
    precision: Literal["32", "bf16"]
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    scale: Scale
    trust: list[str]


OWN = tuple(field.name for field in fields(Request))


class Variant:
    """One data set that the command asks for: one combination of its axes."""

    def __init__(self, point: SweepPoint, tree: Mapping[str, Any]) -> None:
        self.point = point
        constructor = Constructor()
        own = {name: tree.get(name) for name in OWN} | {"filter": tree.get("filter") or {}}
        arguments = constructor.arguments(Request, own, "")
        shared = constructor.arguments(Shared, {name: tree[name] for name in ("provenance", "dry_run")}, "")
        if problems := constructor.problems:
            raise ConfigError(problems)
        self.request = Request(**arguments)
        self.shared = Shared(**shared)
        self.settings = {
            "synthesis": recorded(tree["synthesis"]),
            **{name: tree[name] for name in OF_PICTURES},
            **({} if self.request.precision == "32" else {"precision": self.request.precision}),
            **({} if self.request.masks is None else {"masks": recorded(tree["masks"])}),
        }
        if problems := [*self._faults(), *self.shared.provenance.problems()]:
            raise ConfigError(problems)

    def data_set(self, subjects: Sequence[Taught], encoders: Mapping[str, Encoder]) -> DataSet:
        """`encoders` are the model's own."""
        request = self.request
        for subject in subjects:
            subject.estimator = request.masks
        guidances = request.guidance if isinstance(request.guidance, list) else [request.guidance]
        return DataSet(
            folder=locate(request.out),
            method=request.synthesis,
            subjects=subjects,
            images=request.images,
            drawing=Settings(request.noise_seed, [value for value in guidances if value is not None]),
            how=How(
                steps=request.steps,
                scheduler=request.scheduler,
                negative_prompt=request.negative_prompt,
                base=request.base,
                scale=request.scale.by_role(),
                batch_size=request.batch_size,
                precision=request.precision,
                device=available_device(request.accelerator),
            ),
            filters=request.filter,
            estimator=request.masks,
            encoders={**request.encoders, **encoders},
            test=request.test,
            provenance=self.shared.provenance,
            settings=self.settings,
        )

    def _faults(self) -> Iterator[Problem | str]:
        request = self.request
        if (request.run is None) == (request.collection is None):
            given = "neither is given" if request.run is None else "both are given"
            yield (
                f"run and collection: {given}. Give finished runs (imprint synthesise outputs/DOG outputs/CAT), or a "
                "collection whose runs are trained where they are missing (collection=mini method=lora)."
            )
        if request.collection is None and request.subjects is not None:
            yield Problem("subjects", request.subjects, "these are of a collection. Leave it out.")
        if request.guidance == []:
            yield Problem("guidance", [], "give at least one, or null.")


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What it has in common with a training."""

    provenance: Provenance
    dry_run: bool


def main(cfg: DictConfig) -> float | list[float] | None:
    """A single training, in the process that a launcher has started for it."""
    return train.main(training_of(cfg))


def run_synthesis(composer: Composer, launcher: Launcher, arguments: Sequence[str], *, axes: Sequence[str]) -> None:
    """`axes` are those of an experiment. Raises ConfigError with all that is wrong before anything is trained or
    drawn."""
    variants = list(_variants(composer, [*axes, *arguments]))
    planned = {variant: _planned(composer, variant) for variant in variants}
    data_sets = _checked(variants, planned)
    # where no weights draw, the photos are enough
    drawn = [variant for variant in variants if variant.request.synthesis.weights != "none"]
    if points := [point.asked for variant in drawn for point in planned[variant]]:
        run_grid(composer, launcher, points, arguments, command=["synthesise"], training=training_of)
    for variant, data_set in zip(variants, data_sets, strict=True):
        if variant.shared.dry_run:
            for line in (*data_set.plan(), *data_set.remarks()):
                log.info(line)
        else:
            data_set.make()


def synthesise(cfg: DictConfig) -> Path:
    """The data set of finished runs: its folder."""
    variant = Variant(SweepPoint((), ()), resolved(cfg))
    [data_set] = _checked([variant], {})
    return data_set.make()


def training_of(cfg: DictConfig) -> DictConfig:
    """What `imprint train` would be given to make the very same run. Changes `cfg`."""
    with open_dict(cfg):
        cfg.name = f"{cfg.dataset.subject}-{cfg.name}"
        for key in OWN:
            cfg.pop(key, None)
    return cfg


def _variants(composer: Composer, given: Sequence[str]) -> Iterator[Variant]:
    """Raises ConfigError with the problems of all."""
    problems: dict[str, None] = {}
    found: list[Variant] = []
    for point in sweep_points(composer, given, []):
        try:
            found.append(Variant(point, resolved(composer.point(point.overrides))))
        except UserError as error:
            problems |= dict.fromkeys(map(str, error.problems if isinstance(error, ConfigError) else [error]))
    outs = [str(locate(variant.request.out)) for variant in found]
    if twice := sorted({out for out in outs if outs.count(out) > 1}):
        remedy = "several data sets would lie there. Name what differs: 'out=data/pets-${guidance}'."
        problems |= dict.fromkeys(str(Problem("out", out, remedy)) for out in twice)
    if problems:
        raise ConfigError(problems)
    yield from found


def _planned(composer: Composer, variant: Variant) -> list[PlannedPoint]:
    """The runs of a collection's subjects."""
    collection = variant.request.collection
    if collection is None:
        return []
    points = [
        SweepPoint(
            (*variant.point.overrides, *_settings(member)), (*variant.point.varied, f"dataset.subject={member.name}")
        )
        for member in collection.members(variant.request.subjects)
    ]
    return plan_points(composer, points, training_of)


def _settings(member: Member) -> list[str]:
    return [f"dataset.{key}={quoted(value)}" for key, value in member.settings.items()]


def _checked(variants: Sequence[Variant], planned: Mapping[Variant, Sequence[PlannedPoint]]) -> list[DataSet]:
    problems: dict[str, None] = {}
    found = []
    for variant in variants:
        try:
            data_set = _data_set(variant, [point.plan for point in planned.get(variant, ())])
            data_set.check()
            found.append(data_set)
        except UserError as error:
            problems |= dict.fromkeys(map(str, error.problems if isinstance(error, ConfigError) else [error]))
    if problems:
        raise ConfigError(problems)
    return found


def _data_set(variant: Variant, plans: Sequence[Plan]) -> DataSet:
    request = variant.request
    draws = request.synthesis.weights != "none"
    if plans:
        _refuse_upscalers([plan.run.folder.name for plan in plans if draws and plan.facts.upscaling is not None])
        return variant.data_set(to_be_taught(plans, size=request.size), plans[0].parts.model.encoders)
    runs = list(_finished(as_list(request.run or []), request.trust))
    if draws:
        _refuse_upscalers([run.folder.name for run in runs if own_model(run, {}).facts().upscaling is not None])
    return variant.data_set(taught_by(runs, size=request.size), own_model(runs[0], {}).encoders)


def _refuse_upscalers(names: Sequence[str]) -> None:
    if names:
        raise ConfigError(
            [
                f"run: {', '.join(names)}: an upscaler draws nothing from prompts, but makes a picture larger "
                "(imprint generate RUN picture=...). Give runs of another model; synthesis=paste needs photos alone."
            ]
        )


def _finished(folders: Sequence[str], trust: Sequence[str]) -> Iterator[Run]:
    problems = []
    for folder in dict.fromkeys(folders):
        try:
            yield Run.finished(locate(folder), trust=trust)
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise ConfigError(problems)
