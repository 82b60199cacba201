"""What makes two runs the same one."""

from collections.abc import Mapping
from typing import Any

from imprint.build.parts import Parts
from imprint.data.pictures import PictureSet
from imprint.families.base import Facts
from imprint.types import Concept

EXACT_AS_FLOAT = 2**53  # larger whole numbers are not told apart as floats


def identity_of(
    parts: Parts,
    tree: Mapping[str, Any],
    *,
    facts: Facts,
    pictures: PictureSet,
    prior_content: Mapping[str, object],
    concept: Concept,
) -> dict[str, Any]:
    """All that changes the result: settings as they are written in `tree`, and contents in place of locations."""
    return {
        **{name: _settings(getattr(parts, name), tree[name]) for name in ("model", "dataset", "prior", "method")},
        **{name: _canonical(tree[name]) for name in ("objective", "hparams", "optimizer", "seed")},
        "content": {
            "model": facts.fingerprint,
            "dataset": pictures.fingerprint,
            "prior": dict(prior_content),
        },
        "concept": concept._asdict(),
    }


def _settings(part: Any, node: Mapping[str, Any]) -> Any:
    """A part's settings without those that only say where something lies or how fast it is had."""
    return _canonical({name: value for name, value in node.items() if name not in part.locators})


def _canonical(value: Any) -> Any:
    """1 and 1.0 are the same setting."""
    if isinstance(value, Mapping):
        return {name: _canonical(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < EXACT_AS_FLOAT:
        return float(value)
    return value
