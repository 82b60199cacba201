"""The model of a finished run."""

from collections.abc import Mapping
from typing import NamedTuple

from imprint.construct import Constructor
from imprint.errors import ConfigError, Problem
from imprint.families.base import Family, ModelSource
from imprint.methods.base import Method
from imprint.runs import Run
from imprint.types import Concept


class Trained(NamedTuple):
    """The model of a finished run, and the method whose result is in it."""

    family: Family
    concept: Concept
    method: Method


def trained_family(run: Run, *, scale: Mapping[str, float]) -> Trained:
    """For drawing and export. Raises UserError if what the run was trained from has changed."""
    manifest = run.read()
    constructor = Constructor()
    model: ModelSource = constructor.build(manifest["config"]["model"], "model")
    method: Method = constructor.build(manifest["config"]["method"], "method")
    if constructor.problems:
        raise ConfigError(constructor.problems)
    if problems := list(method.scale_problems(scale)):
        raise ConfigError(problems)
    if model.facts().fingerprint != manifest["content"]["model"]:
        source = manifest["config"]["model"]["source"]
        remedy = f"this is not the model any more that {run.folder.name} was trained from. Bring that one back."
        raise ConfigError([Problem("model.source", source, remedy)])
    family = model.load()
    method.load(family, run.result, scale=scale)
    return Trained(family, Concept(**manifest["concept"]), method)
