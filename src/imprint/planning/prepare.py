"""Checks a configuration without loading the model: finds every problem, and the run that it describes."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from omegaconf import DictConfig, OmegaConf

from imprint.config import resolved, signature
from imprint.construct import Constructor
from imprint.data.framing import Framing
from imprint.data.masks import cropped_out
from imprint.errors import ConfigError, Problem, UserError
from imprint.kinds import own_classes
from imprint.locations import locate
from imprint.models.base import ModelSource
from imprint.models.facts import ModelInfo
from imprint.objectives.noise_prediction import NoisePrediction
from imprint.objectives.times import Times
from imprint.planning import memory_settings, quantised_base, upscaling
from imprint.planning.evaluable import features_for, misfits, photos_before
from imprint.planning.identity import identity_of
from imprint.planning.memory.devices import with_devices
from imprint.planning.naming import find_nouns
from imprint.planning.opt_out import opted_out
from imprint.planning.parts import Parts, Plan, framing_of
from imprint.planning.sizes import too_large_batches, too_large_pictures, too_large_ranks
from imprint.planning.subjects import Subject, collect, find_concepts, find_subjects, warn_of_templates
from imprint.runs import Run
from imprint.training.optimizers import optimizer_problems, sharing_problems
from imprint.types import Concept

T = TypeVar("T")
R = TypeVar("R")


def prepare(cfg: DictConfig) -> Plan:
    """Raises ConfigError with all problems of the configuration."""
    constructor = Constructor()
    problems = constructor.problems
    tree = resolved(cfg)
    constructor.check_names(Parts, tree, "")
    part = constructor.arguments(Parts, tree, "")
    facts = _tried(part.get("model"), lambda model: model.facts(), problems)
    adapter = _tried(part.get("model"), lambda model: model.training_adapter_file(), problems)
    if facts and facts.upscaling:
        _tried(part.get("model"), lambda model: model.low_side(), problems)
    dataset = part.get("dataset")
    nouns = find_nouns(dataset, part.get("model"), problems) if dataset else None
    concepts = find_concepts(dataset, nouns, facts, part.get("method"), problems) if dataset else None
    subjects = find_subjects(dataset, concepts, problems) if dataset else None
    prior_content = _tried(part.get("prior"), lambda prior: prior.identity(), problems)
    if part.get("objective") and part.get("model"):
        part["objective"] = _with_times(part["objective"], part["model"], problems)
    problems.extend(_conflicts(part, facts, concepts, subjects))
    if adapter is not None and part.get("trainer") and part["trainer"].compile:
        remedy = "a compiled network does not notice when model.training_adapter is left out. Set it to false."
        problems.append(Problem("trainer.compile", True, remedy))
    problems.extend(part["provenance"].problems() if part.get("provenance") else ())
    problems.extend(opted_out(subjects or (), None if prior_content is None else part["prior"]))
    if part.get("evaluation") and part.get("model") and part.get("trainer"):
        encoders = {**part["evaluation"].encoders, **part["model"].encoders}
        features_for(part["evaluation"], encoders, torch.device("cpu"), problems)
        for subject in subjects or ():
            problems.extend(misfits(subject, part["evaluation"], photos_before(subject), encoders))
    if problems:
        raise ConfigError(problems)
    assert facts and nouns and subjects and prior_content is not None
    parts = Parts(**part)
    warn_of_templates(parts.method, subjects)
    identity = identity_of(
        parts, tree, facts=facts, subjects=subjects, prior_content=prior_content, training_adapter=adapter
    )
    folder = _folder(locate(parts.outputs), parts.name, signature(identity))
    run = Run(folder, trust=own_classes({name: tree[name] for name in ("model", "method", "dataset")}))
    return with_devices(Plan(parts=parts, facts=facts, subjects=subjects, nouns=nouns, identity=identity, run=run))


def _folder(outputs: Path, name: str, signature: str) -> Path:
    """Of the run with this identity: where it lies under another name, that is the run."""
    folder = outputs / f"{name}-{signature}"
    others = [] if folder.exists() else sorted(outputs.glob(f"*-{signature}"))
    return others[0] if others else folder


def with_reporting(plan: Plan, cfg: DictConfig) -> Plan:
    """`plan` with the reports and the sweep that `cfg` now names. They do not change a result, so the rest need not be
    prepared again."""
    tree = {name: OmegaConf.to_container(cfg[name], resolve=True) for name in ("report", "sweep")}
    return replace(plan, parts=replace(plan.parts, **Constructor().arguments(Parts, tree, "")))


def _with_times(objective: NoisePrediction, model: ModelSource, problems: list[Problem | str]) -> NoisePrediction:
    """With the model's times, where the objective names none."""
    if objective.times is None and not isinstance(model.times, Times):
        problems.append(Problem("model.times", model.times, "no times. Choose some: times@model.times=uniform."))
        return objective
    return objective.with_times(model.times)


def _conflicts(
    part: Mapping[str, Any],
    facts: ModelInfo | None,
    concepts: Sequence[Concept] | None,
    subjects: Sequence[Subject] | None,
) -> Iterator[Problem | str]:
    """What each part cannot do together with the others, or on this machine. Skips parts that could not be built."""
    if facts and concepts and part.get("method"):
        yield from (_under("method", problem) for problem in part["method"].problems(facts, concepts))
    if facts and part.get("objective"):
        yield from (_under("objective", problem) for problem in part["objective"].problems(facts))
    if facts and part.get("dataset"):
        try:
            framings = [framing_of(member, facts) for member in part["dataset"].members.values()]
        except ConfigError as error:
            yield from (_under("model", problem) for problem in error.problems)
        else:
            yield from _unseen(subjects or (), framings)
            yield from upscaling.problems(part, facts, subjects or (), framings)
    if concepts and part.get("prior"):
        yield from (_under("prior", problem) for problem in part["prior"].problems(concepts))
    if concepts and part.get("samples"):
        yield from (_under("samples", problem) for problem in part["samples"].problems(concepts))
    if part.get("watch"):
        yield from part["watch"].problems(part.get("evaluation"))
    yield from memory_settings.conflicts(part, facts)
    if part.get("trainer") and part.get("hparams"):
        yield from part["trainer"].problems(part["hparams"])
    if facts and part.get("trainer"):
        yield from _oversized(part, facts)
        yield from quantised_base.problems(part["model"], facts, part.get("method"), part["trainer"])
    if part.get("optimizer"):
        yield from _problems_of_optimizer(part)
    if part.get("outputs"):
        yield from _unwritable(locate(part["outputs"]))


def _problems_of_optimizer(part: Mapping[str, Any]) -> Iterator[Problem | str]:
    if part.get("hparams"):
        yield from optimizer_problems(part["optimizer"], part["hparams"])
    if part.get("trainer") and part["trainer"].shards:
        yield from sharing_problems(part["optimizer"])


def _oversized(part: Mapping[str, Any], facts: ModelInfo) -> Iterator[Problem]:
    try:
        device = part["trainer"].device
    except UserError:  # of which the trainer tells
        return
    size = facts.resolution, facts.resolution
    pictures = list(too_large_pictures(facts, "model.resolution", size, device))
    yield from pictures
    if part.get("hparams") and not pictures:
        yield from too_large_batches(facts, part["hparams"], part["trainer"])
    if part.get("method"):
        yield from too_large_ranks(part["method"], part["model"], device)


def _unseen(subjects: Sequence[Subject], framings: Sequence[Framing]) -> Iterator[str]:
    """Pictures of which a crop may show nothing of the mask."""
    for subject, framing in zip(subjects, framings, strict=False):
        if hidden := list(cropped_out(subject.pictures.pictures, framing)):
            yield (
                f"dataset.crop={subject.dataset.crop}: of {', '.join(hidden)} it can show a part without any of the "
                "mask, from which nothing is learned. Crop the pictures around the subject, use crop=centre or "
                "crop=buckets, or set mask_background above 0."
            )


def _unwritable(folder: Path) -> Iterator[Problem]:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):  # which leaves nothing there
            return
    except OSError as error:
        remedy = f"{existing} is no folder that can be written to ({error.strerror}). Choose another."
        yield Problem("outputs", str(folder), remedy)


def _under(key: str, problem: Problem | str) -> Problem | str:
    """With the whole key, where the problem is not that of the choice itself."""
    if isinstance(problem, str) or problem.key == key:
        return problem
    return problem._replace(key=f"{key}.{problem.key}")


def _tried(part: T | None, call: Callable[[T], R], problems: list[Problem | str]) -> R | None:
    """The result for `part`, or None where there is none or the call fails; its errors are added to the problems."""
    return None if part is None else collect(problems, "", lambda: call(part))
