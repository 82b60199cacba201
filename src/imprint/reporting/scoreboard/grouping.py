"""Which score sheets belong together: contestants, each a method with its settings, and their references: floors (the
untuned model) and ceilings (real photos)."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from imprint.errors import UserError
from imprint.evaluation.score_sheet import Row, ScoreSheet
from imprint.reporting.labels import differing, distinguishing, label_text

Role = Literal["contestant", "floor", "ceiling"]
ROWS: Mapping[Row, tuple[Role, str]] = {
    "bicubic": ("floor", "bicubic"),
    "untuned": ("floor", "untuned model"),
    "prompt_only": ("floor", "prompt only"),
    "real": ("ceiling", "real photos"),
    "copies": ("ceiling", "training photos"),
}
# These depend on the model, the others on the photos alone: how far bicubic interpolation enlarges, says the upscaler.
MODEL_ROWS = ("bicubic", "untuned", "prompt_only")
# Settings that say which subject it is, as long as each subject has one value of them.
OF_SUBJECT = (
    *("dataset", "dataset.path", "dataset.id", "dataset.subset", "dataset.revision", "dataset.split"),
    *("dataset.image_column", "dataset.caption_column", "dataset.class_noun", "dataset.identifier"),
    *("dataset.kind", "prior.path"),
)
# Settings of the evaluation, and the subject's name: fingerprints and score sheets hold these themselves.
OF_EVALUATION = ("seed", "samples", "evaluation", "model.encoders", "dataset.subject")


class Entry(NamedTuple):
    """One line of a scoreboard. Its sheets differ in subject and seed alone (a profile may add another sheet)."""

    label: str
    role: Role
    row: Row
    method: str
    settings: Mapping[str, Any]
    step: int
    sheets: Sequence[ScoreSheet]

    @property
    def seeds(self) -> int:
        return len({sheet.seed for sheet in self.sheets})


def entries(sheets: Sequence[ScoreSheet]) -> list[Entry]:
    """Contestants in the order in which they first appear, then floors, then ceilings."""
    _check(sheets)
    return [*_contestants(sheets), *_references(sheets)]


def _check(sheets: Sequence[ScoreSheet]) -> None:
    if not sheets:
        raise UserError("There are no scores to put on a scoreboard. Evaluate some runs first: imprint evaluate RUN.")
    wrong = [place for sheet in sheets for place in _not_finite(sheet)]
    if wrong:
        shown = "\n".join(f"  - {place}" for place in wrong[:10])
        more = f"\n  and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise UserError(
            f"Scores that are no numbers cannot be averaged:\n{shown}{more}\n"
            "Look at the pictures, and evaluate the run again: imprint evaluate RUN."
        )


def _not_finite(sheet: ScoreSheet) -> Iterator[str]:
    for row, metrics in sheet.rows.items():
        for name, scored in metrics.items():
            for value in scored.values:
                if not math.isfinite(value.value):
                    prompt = "" if value.number is None else f", {value.set} prompt {value.number}"
                    yield f"{sheet.run}: {name} of {row}{prompt} is {value.value}"


def _contestants(sheets: Sequence[ScoreSheet]) -> list[Entry]:
    ignored = _of_subject(sheets) | _of_seed(sheets)
    groups: dict[str, list[ScoreSheet]] = {}
    for sheet in sheets:
        if "tuned" in sheet.rows:
            groups.setdefault(_key(sheet.method, sheet.step, _without(sheet.settings, ignored)), []).append(sheet)
    members = list(groups.values())
    settings = [_without(group[0].settings, ignored) for group in members]
    return [
        Entry(label, "contestant", "tuned", group[0].method, own, group[0].step, group)
        for label, group, own in zip(_labels(members, settings), members, settings, strict=True)
    ]


def _of_subject(sheets: Sequence[ScoreSheet]) -> set[str]:
    """The keys of OF_SUBJECT that have one value for each subject: two values for one subject are two settings."""
    return {
        key
        for key in OF_SUBJECT
        if len({(sheet.subject, str(sheet.settings.get(key))) for sheet in sheets})
        == len({sheet.subject for sheet in sheets})
    }


def _of_seed(sheets: Sequence[ScoreSheet]) -> set[str]:
    """The keys that repeat the training's seed, such as that of a word's random start."""
    keys = {key for sheet in sheets for key in sheet.settings if key.endswith(".seed")}
    return {key for key in keys if all(sheet.settings.get(key, sheet.seed) == sheet.seed for sheet in sheets)}


def _without(settings: Mapping[str, Any], ignored: Iterable[str]) -> dict[str, Any]:
    left_out = set(ignored)
    return {
        key: value
        for key, value in settings.items()
        if key not in left_out and not any(key == name or key.startswith(f"{name}.") for name in OF_EVALUATION)
    }


def _labels(groups: Sequence[Sequence[ScoreSheet]], settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The method's name; where contestants share it, with the settings in which they differ."""
    labels = []
    for group, own in zip(groups, settings, strict=True):
        method, step = group[0].method, group[0].step
        same = [index for index, other in enumerate(groups) if other[0].method == method]
        alike = [{**settings[index], "step": groups[index][0].step} for index in same]
        keys = [
            key for key in distinguishing(alike) if key != "hparams.steps" or len({each["step"] for each in alike}) == 1
        ]
        text = label_text({**own, "step": step}, keys)
        name = method.replace("_", " ")
        labels.append(f"{name}, {text}" if text else name)
    return [
        label if labels.count(label) == 1 else f"{label} ({labels[: index + 1].count(label)})"
        for index, label in enumerate(labels)
    ]


def _references(sheets: Sequence[ScoreSheet]) -> list[Entry]:
    found: list[Entry] = []
    for row, (role, name) in ROWS.items():
        with_row = [sheet for sheet in sheets if row in sheet.rows]
        groups: dict[str, list[ScoreSheet]] = {}
        for sheet in with_row:
            groups.setdefault(_key("", 0, _model(sheet)) if row in MODEL_ROWS else "", []).append(sheet)
        models = [_model(group[0]) for group in groups.values()]
        keys = differing(models)
        for model, group in zip(models, groups.values(), strict=True):
            label = f"{name}, {label_text(model, keys)}" if len(groups) > 1 else name
            found.append(Entry(label, role, row, "", model, 0, group))
    return found


def _model(sheet: ScoreSheet) -> dict[str, Any]:
    settings = _without(sheet.settings, ())
    return {key: value for key, value in settings.items() if key in ("model", "base") or key.startswith("model.")}


def _key(method: str, step: int, settings: Mapping[str, Any]) -> str:
    return json.dumps([method, step, settings], sort_keys=True, default=str)
