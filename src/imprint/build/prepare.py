"""The cheap half: every problem is found before a model is loaded."""

from collections.abc import Callable
from typing import TypeVar

from omegaconf import DictConfig

from imprint.build.conflicts import conflicts
from imprint.build.identity import identity_of
from imprint.build.parts import Parts, Plan
from imprint.config import resolved, signature
from imprint.construct import Constructor
from imprint.data.dataset import Dataset
from imprint.errors import ConfigError, Problem, UserError
from imprint.families.base import Facts
from imprint.locations import locate
from imprint.methods.base import Method
from imprint.runs import Run
from imprint.types import Concept

AUTO = "auto"
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
    pictures = _tried(part.get("dataset"), lambda dataset: dataset.open(), problems)
    concept = _tried(part.get("dataset"), lambda dataset: _concept(dataset, facts, part.get("method")), problems)
    prior_content = _tried(part.get("prior"), lambda prior: prior.identity(), problems)
    problems.extend(conflicts(part, facts, concept))
    if problems:
        raise ConfigError(problems)
    assert facts and pictures and concept and prior_content is not None
    parts = Parts(**part)
    identity = identity_of(parts, tree, facts=facts, pictures=pictures, prior_content=prior_content, concept=concept)
    run = Run(locate(parts.outputs) / f"{parts.name}-{signature(identity)}")
    return Plan(parts=parts, facts=facts, pictures=pictures, concept=concept, identity=identity, run=run)


def _concept(dataset: Dataset, facts: Facts | None, method: Method | None) -> Concept | None:
    noun = dataset.class_noun
    if dataset.identifier != AUTO:
        return Concept(dataset.identifier, noun)
    return None if facts is None or method is None else Concept(method.choose_identifier(facts, noun), noun)


def _tried(part: T | None, ask: Callable[[T], R], problems: list[Problem | str]) -> R | None:
    """What `part` says, or None, with its complaint among the problems."""
    if part is None:
        return None
    try:
        return ask(part)
    except ConfigError as error:
        problems.extend(error.problems)
    except UserError as error:
        problems.append(str(error))
    return None
