"""What makes two runs the same one."""

from collections.abc import Mapping, Sequence
from typing import Any

from imprint.data.dataset import Dataset, JointDataset
from imprint.kinds import KIND, TARGET, class_in, former_defaults, hashed_name, name_of
from imprint.models.base import ModelInfo
from imprint.planning.parts import Parts
from imprint.planning.subjects import Subject

EXACT_AS_FLOAT = 2**53  # larger whole numbers are not told apart as floats


def identity_of(
    parts: Parts,
    tree: Mapping[str, Any],
    *,
    facts: ModelInfo,
    subjects: Sequence[Subject],
    prior_content: Mapping[str, object],
) -> dict[str, Any]:
    """All that changes the result: settings as they are written in `tree`, and contents in place of locations."""
    return {
        **{name: _settings(getattr(parts, name), tree[name]) for name in ("model", "prior", "method")},
        "dataset": one_or_all(_dataset_settings(parts.dataset, tree["dataset"])),
        **{name: _canonical(tree[name]) for name in ("objective", "hparams", "optimizer", "seed")},
        **_rule(parts, tree),
        "content": {
            "model": facts.fingerprint,
            "dataset": one_or_all([subject.pictures.fingerprint for subject in subjects]),
            "prior": dict(prior_content),
        },
        "concept": one_or_all([{"identifier": concept.identifier, "noun": concept.noun} for concept, _, _ in subjects]),
    }


def _dataset_settings(dataset: Dataset | JointDataset, node: Mapping[str, Any]) -> list[Any]:
    """Of each subject. What a subject is called is no part of a result."""
    nodes = node["subjects"] if isinstance(dataset, JointDataset) else {"": node}
    return [_settings(member, nodes[name]) for name, member in dataset.members.items()]


def _rule(parts: Parts, tree: Mapping[str, Any]) -> dict[str, Any]:
    """What is only looked at changes nothing; what decides which weights are kept does."""
    if not parts.watch.has_rule:
        return {}
    return {"watch": _canonical(tree["watch"]), "evaluation": _canonical(tree["evaluation"])}


def one_or_all(values: list[Any]) -> Any:
    """One subject is the same run alone and as the only one of several."""
    return values[0] if len(values) == 1 else values


def _settings(part: Any, node: Mapping[str, Any]) -> Any:
    """A part's settings without those that only say where something lies or how fast it is had."""
    left_out = {TARGET if name == KIND else name for name in part.not_in_identity}
    return {name: value for name, value in _canonical(node).items() if name not in left_out}


def _canonical(value: Any) -> Any:
    """1 and 1.0 are the same setting. A class is what it is called, wherever it lies; settings that it got later have
    no part while they change nothing."""
    if isinstance(value, Mapping) and (TARGET in value or KIND in value):
        former = {name: _canonical(part) for name, part in former_defaults(class_in(value)).items()}
        told = {name: _canonical(part) for name, part in value.items() if name not in (TARGET, KIND)}
        settings = {name: part for name, part in told.items() if name not in former or part != former[name]}
        return {TARGET: hashed_name(name_of(value)), **settings}
    if isinstance(value, Mapping):
        return {name: _canonical(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < EXACT_AS_FLOAT:
        return float(value)
    return value
