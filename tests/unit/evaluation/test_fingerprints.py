"""Numbers with equal fingerprints were measured alike; others were not."""

from typing import Any, NamedTuple

import pytest
from small_runs import composed_profile

from imprint.evaluation.fingerprints import facts_of


class Judge(NamedTuple):
    name: str
    fingerprint: str

    def facts(self) -> dict[str, str]:
        return {}


SAMPLING = {"sampler": ["DDIMScheduler", 50, 7.5, ""], "size": [512, 512]}
JUDGES = {"dino": Judge("a ViT", "f00d"), "clip": Judge("a CLIP", "cafe")}


def prints(*settings: str, sampling: Any = SAMPLING, judges: Any = JUDGES) -> dict[str, str]:
    profile = composed_profile("careful", *settings)
    facts = facts_of(profile, judges, sampling=sampling, sets=profile.sets())
    return {name: fact.fingerprint for name, fact in facts.items()}


USUAL = prints()
EVERY = set(USUAL)


def changed(other: dict[str, str]) -> set[str]:
    return {name for name in EVERY if USUAL[name] != other[name]}


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("evaluation.pictures.subject.images=5", EVERY - {"pres", "drift"}),
        ("evaluation.pictures.subject.numbers=[0]", EVERY - {"pres", "drift"}),
        ("evaluation.pictures.subject.categories=[property]", EVERY - {"pres", "drift"}),
        ("evaluation.pictures.class.images=5", {"pres", "drift"}),
        ("evaluation.metrics.clip_t.text=identifier", {"clip_t"}),
        ("evaluation.metrics.dino.self_pairs=include", {"dino"}),
        ("evaluation.averaging=pairs", EVERY),
        ("+evaluation.counted.dino=[property]", {"dino"}),
        ("evaluation.rows=[real]", set()),
        ("evaluation.batch_size=9", set()),
        ("evaluation.name=mine", set()),
        ("+metric@evaluation.metrics.vendi=vendi", set()),
    ],
)
def test_what_a_number_depends_on(setting: str, expected: set[str]) -> None:
    assert changed(prints(setting)) == expected


def test_judges_and_ways_of_drawing_are_part_of_a_number() -> None:
    assert changed(prints(sampling={**SAMPLING, "size": [256, 256]})) == EVERY
    assert changed(prints(judges={**JUDGES, "clip": Judge("a CLIP", "beef")})) == {"clip_i", "clip_t"}
    assert changed(prints(judges={**JUDGES, "clip": Judge("another name", "cafe")})) == set()
