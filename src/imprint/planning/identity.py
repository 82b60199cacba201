"""The identity of a run: runs with the same identity have the same result."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from imprint.data.dataset import Dataset, JointDataset
from imprint.hashing import file_hash
from imprint.kinds import KIND, TARGET, class_in, former_defaults, hashed_name, name_of
from imprint.models.facts import ModelInfo
from imprint.planning.parts import Parts
from imprint.planning.subjects import Subject

EXACT_AS_FLOAT = 2**53  # some larger integers are equal as floats


def identity_of(
    parts: Parts,
    tree: Mapping[str, Any],
    *,
    facts: ModelInfo,
    subjects: Sequence[Subject],
    prior_content: Mapping[str, object],
    training_adapter: Path | None,
) -> dict[str, Any]:
    """All that changes the result: settings as written in `tree`, and hashes of contents in place of locations."""
    return {
        **{name: _settings(getattr(parts, name), tree[name]) for name in ("model", "prior", "method")},
        **_low_side(parts, tree),
        "dataset": one_or_all(_dataset_settings(parts.dataset, tree["dataset"])),
        **{name: _canonical(tree[name]) for name in ("objective", "hparams", "optimizer", "seed")},
        **_rule(parts, tree),
        "content": {
            "model": facts.fingerprint,
            "dataset": one_or_all([subject.pictures.fingerprint for subject in subjects]),
            "prior": dict(prior_content),
            **({"training_adapter": file_hash(training_adapter)} if training_adapter else {}),
        },
        "concept": one_or_all([{"identifier": concept.identifier, "noun": concept.noun} for concept, _, _ in subjects]),
    }


def _low_side(parts: Parts, tree: Mapping[str, Any]) -> dict[str, Any]:
    """The model's settings again, with what an upscaler's pictures are made from in place of where that lies."""
    low_side = parts.model.low_side()
    if low_side is None:
        return {}
    return {"model": {**_settings(parts.model, tree["model"]), "low_res": low_side.identity()}}


def _dataset_settings(dataset: Dataset | JointDataset, node: Mapping[str, Any]) -> list[Any]:
    """Of each subject. A subject's name does not change the result."""
    nodes = node["subjects"] if isinstance(dataset, JointDataset) else {"": node}
    return [_settings(member, nodes[name]) for name, member in dataset.members.items()]


def _rule(parts: Parts, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Scores during the training change the result only where a rule uses them to choose the weights that are kept."""
    if not parts.watch.has_rule:
        return {}
    return {"watch": _canonical(tree["watch"]), "evaluation": _canonical(tree["evaluation"])}


def one_or_all(values: list[Any]) -> Any:
    """A joint data set with one subject is the same run as that subject's own data set."""
    return values[0] if len(values) == 1 else values


def _settings(part: Any, node: Mapping[str, Any]) -> Any:
    """A part's settings without those of locations and speed."""
    left_out = {TARGET if name == KIND else name for name in part.not_in_identity}
    return {name: value for name, value in _canonical(node).items() if name not in left_out}


def _canonical(value: Any) -> Any:
    """1 and 1.0 are the same setting. A class is named by its kind; settings that were added to it later are left out
    while they have the value that changes nothing."""
    if isinstance(value, Mapping) and (TARGET in value or KIND in value):
        former = {name: _canonical(part) for name, part in former_defaults(class_in(value)).items()}
        given = {name: _canonical(part) for name, part in value.items() if name not in (TARGET, KIND)}
        settings = {name: part for name, part in given.items() if name not in former or part != former[name]}
        return {TARGET: hashed_name(name_of(value)), **settings}
    if isinstance(value, Mapping):
        return {name: _canonical(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < EXACT_AS_FLOAT:
        return float(value)
    return value
