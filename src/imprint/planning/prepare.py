"""The cheap half: every problem is found before a model is loaded."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import torch
from omegaconf import DictConfig, OmegaConf

from imprint.config import resolved, signature
from imprint.construct import Constructor
from imprint.errors import ConfigError, Problem
from imprint.kinds import own_classes
from imprint.locations import locate
from imprint.planning.conflicts import conflicts
from imprint.planning.evaluable import features_for, misfits, photos_before
from imprint.planning.identity import identity_of
from imprint.planning.parts import Parts, Plan
from imprint.planning.subjects import find_concepts, find_nouns, find_subjects, told
from imprint.runs import Run

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
    dataset = part.get("dataset")
    nouns = find_nouns(dataset, part.get("model"), problems) if dataset else None
    concepts = find_concepts(dataset, nouns, facts, part.get("method"), problems) if dataset else None
    subjects = find_subjects(dataset, concepts, problems) if dataset else None
    prior_content = _tried(part.get("prior"), lambda prior: prior.identity(), problems)
    problems.extend(conflicts(part, facts, concepts, subjects))
    if part.get("evaluation") and part.get("model") and part.get("trainer"):
        encoders = {**part["evaluation"].encoders, **part["model"].encoders}
        features_for(part["evaluation"], encoders, torch.device("cpu"), problems)
        for subject in subjects or ():
            problems.extend(misfits(subject, part["evaluation"], photos_before(subject)))
    if problems:
        raise ConfigError(problems)
    assert facts and nouns and subjects and prior_content is not None
    parts = Parts(**part)
    identity = identity_of(parts, tree, facts=facts, subjects=subjects, prior_content=prior_content)
    folder = locate(parts.outputs) / f"{parts.name}-{signature(identity)}"
    run = Run(folder, trust=own_classes({name: tree[name] for name in ("model", "method", "dataset")}))
    return Plan(parts=parts, facts=facts, subjects=subjects, nouns=nouns, identity=identity, run=run)


def with_reporting(plan: Plan, cfg: DictConfig) -> Plan:
    """`plan` with the reports and the sweep that `cfg` names by now. They are no part of a result, so the rest need not
    be prepared again."""
    tree = {name: OmegaConf.to_container(cfg[name], resolve=True) for name in ("report", "sweep")}
    return replace(plan, parts=replace(plan.parts, **Constructor().arguments(Parts, tree, "")))


def _tried(part: T | None, ask: Callable[[T], R], problems: list[Problem | str]) -> R | None:
    """What `part` says, or None where there is none or it complains; that is then among the problems."""
    return None if part is None else told(problems, "", lambda: ask(part))
