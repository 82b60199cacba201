"""The score sheet of a subject: the run, the settings, what each number means, and the numbers."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from imprint.evaluation.fingerprints import facts_of, fingerprint, sheet_fingerprint
from imprint.evaluation.measuring import Measured
from imprint.evaluation.pairs import OTHERS
from imprint.evaluation.profile import Profile
from imprint.evaluation.score_sheet import MetricFacts, ScoreSheet, write_csv
from imprint.kinds import KIND, TARGET, class_in, hashed_settings, label_of
from imprint.methods.base import scale_key
from imprint.scoring.galleries import overrides
from imprint.scoring.pairs import meaning_of_pairs
from imprint.scoring.subject import EvaluationSubject

RESULT_PARTS = ("model", "method", "dataset", "prior", "objective", "hparams", "optimizer")


def sheet_of(
    subject: EvaluationSubject, profile: Profile, measured: Measured, seconds: Mapping[str, float]
) -> ScoreSheet:
    config = subject.run.read().config
    sampling, metrics = meaning(subject, profile)
    return ScoreSheet(
        drawing=drawing(subject, profile),
        run=subject.run.folder.name,
        method=label_of(config.method),
        settings=_settings(subject, config.tree()),
        subject=subject.label,
        kind=subject.kind,
        noun=subject.concept.noun,
        seed=config.seed,
        step=config.steps,
        profile=profile.name,
        averaging=profile.averaging,
        sampling=sampling,
        metrics=metrics,
        pictures=measured.pictures,
        prompts=profile.templates(subject.kind),
        rows=measured.rows,
        seconds=seconds,
        notes=[*subject.notes, *measured.notes],
    )


def write_sheet(sheet: ScoreSheet, folder: Path, *, name: str = "") -> Path:
    """Writes the score sheet, and its numbers as CSV. Returns the sheet's file. `name` tells apart the score sheets of
    several subjects in one folder."""
    fingerprint = sheet_fingerprint(sheet.sampling, sheet.metrics, list(sheet.rows))
    file = folder / f"{'-'.join(filter(None, (sheet.profile, name, fingerprint)))}.json"
    sheet.write(file)
    write_csv(sheet, file.with_suffix(".csv"))
    return file


def meaning(subject: EvaluationSubject, profile: Profile) -> tuple[str, Mapping[str, MetricFacts]]:
    """The fingerprint of how the pictures are generated, and what the numbers of each metric mean."""
    sampling, sets = drawing(subject, profile), _sets(subject, profile)
    metrics = facts_of(profile, subject.features.encoders, sampling=sampling, sets=sets)
    return fingerprint({**sampling, "sets": sets, **overrides(subject)}), metrics


def _sets(subject: EvaluationSubject, profile: Profile) -> dict[str, Mapping[str, object]]:
    """By set, what decides which pictures there are. Those of other things are no subject's, and a part of it."""
    others = {OTHERS: {"photos": [photo.content for photo in subject.others]}} if subject.others else {}
    return {name: {**settings, **others.get(name, {})} for name, settings in profile.sets().items()}


def drawing(subject: EvaluationSubject, profile: Profile) -> dict[str, Any]:
    """How the pictures are generated."""
    sampler = subject.source.model.sampler.hashed()
    quantised = {role: own.name for role, own in subject.source.model.quantised.items()}
    return {
        "sampler": sampler,
        "size": list(subject.size),
        "precision": profile.precision,
        **({"quantised": quantised} if quantised else {}),
        **meaning_of_pairs(subject),
    }


def _settings(subject: EvaluationSubject, config: Mapping[str, Any]) -> dict[str, Any]:
    strength = {scale_key(role): value for role, value in subject.scale.items()}
    return {**dict(_flat(config)), **strength, **({"base": subject.base} if subject.base is not None else {})}


def _flat(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings that decide a result: dotted key -> plain value."""
    for part in RESULT_PARTS:
        for key, value in _leaves(config.get(part, {}), part):
            if key.startswith("model.encoders") or key.endswith("._partial_"):
                continue
            part_of, _, last = key.rpartition(".")
            if last in (KIND, TARGET):
                yield part_of, label_of({last: value})
            else:
                yield key, value
    yield "seed", config.get("seed", 0)


def _leaves(node: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, part in hashed_settings(class_in(node), node).items():
            yield from _leaves(part, f"{key}.{name}")
    else:
        yield key, node
