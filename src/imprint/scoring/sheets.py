"""What is said of a subject's scores: the sheet."""

from collections.abc import Iterator, Mapping
from typing import Any

from imprint.evaluation.fingerprints import facts_of, fingerprint
from imprint.evaluation.profile import Profile
from imprint.evaluation.sheet import MetricFacts, ScoreSheet
from imprint.kinds import KIND, TARGET, class_in, hashed_settings, label_of
from imprint.methods.base import scale_key
from imprint.scoring.galleries import departures
from imprint.scoring.measuring import Measured
from imprint.scoring.subject import EvaluationSubject

JUDGED_PARTS = ("model", "method", "dataset", "prior", "objective", "hparams", "optimizer")


def sheet_of(
    judged: EvaluationSubject, profile: Profile, measured: Measured, seconds: Mapping[str, float]
) -> ScoreSheet:
    config = judged.run.read().config
    sampling, metrics = meaning(judged, profile)
    return ScoreSheet(
        run=judged.run.folder.name,
        method=label_of(config.method),
        settings=_settings(judged, config.tree()),
        subject=judged.subject,
        kind=judged.kind,
        noun=judged.concept.noun,
        seed=config.seed,
        step=config.steps,
        profile=profile.name,
        averaging=profile.averaging,
        sampling=sampling,
        metrics=metrics,
        pictures=measured.pictures,
        prompts=profile.templates(judged.kind),
        rows=measured.rows,
        seconds=seconds,
        notes=[*judged.notes, *measured.notes],
    )


def meaning(judged: EvaluationSubject, profile: Profile) -> tuple[str, Mapping[str, MetricFacts]]:
    """The fingerprint of how the pictures are made, and what each number is."""
    sampling = {
        "sampler": judged.source.model.sampler.hashed(),
        "size": list(judged.size),
        "precision": profile.precision,
    }
    sets = profile.sets()
    metrics = facts_of(profile, judged.features.encoders, sampling=sampling, sets=sets)
    return fingerprint({**sampling, "sets": sets, **departures(judged)}), metrics


def _settings(judged: EvaluationSubject, config: Mapping[str, Any]) -> dict[str, Any]:
    strength = {scale_key(role): value for role, value in judged.scale.items()}
    return {**dict(_flat(config)), **strength, **({"base": judged.base} if judged.base is not None else {})}


def _flat(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What was set of the parts that make a result: dotted key -> plain value."""
    for part in JUDGED_PARTS:
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
