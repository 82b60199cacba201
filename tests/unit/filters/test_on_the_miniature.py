"""Filters with the miniature's own encoders: what is known to be right of true pictures is what they say."""

from collections.abc import Iterator

import pytest
import torch
from candidates import candidate, known

from imprint.config import compose, resolved
from imprint.construct import Constructor
from imprint.evaluation.features import FeatureStore
from imprint.filters.base import Candidate, Context
from imprint.filters.easy import Easy
from imprint.filters.identity import Identity
from imprint.filters.judging import judge
from imprint.filters.prompt import Prompt
from imprint.filters.share import Share
from imprint.miniature.canvas import stream
from imprint.miniature.references import references
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import random_pose
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import named

SUBJECTS = {"dog6": "dog", "dog2": "dog", "cat2": "cat", "teapot": "teapot"}
PLACES = ("beach", "snow", "jungle", "city")


@pytest.fixture(scope="module")
def features() -> FeatureStore:
    constructor = Constructor()
    encoders = constructor.build(resolved(compose("train", ["+encoders=mini"]))["encoders"], "encoders")
    assert not constructor.problems
    return FeatureStore(encoders=encoders, batch_size=16, device="cpu")


@pytest.fixture(scope="module")
def context(features: FeatureStore) -> Context:
    """Of some subjects one photo, of others all: what is unequal must not decide."""
    photos = [
        known(f"{name}-photo-{number}", name, noun, picture=picture)
        for name, noun in SUBJECTS.items()
        for number, picture in enumerate(references(name)[: 1 if name in ("dog6", "cat2") else None])
    ]
    return Context(subjects=tuple(SUBJECTS), known=photos, features=features)


def true_pictures(label: str, shown: str, *, text: str = "") -> Iterator[Candidate]:
    """Of one subject, labelled as another."""
    for place in PLACES:
        scene = Scene(named(shown), place, pose=random_pose(stream("pose", shown, place)), seed=3)
        one = candidate(f"{label}-{shown}-{place}", label, picture=draw(scene), noun=SUBJECTS[label])
        yield one._replace(text=text or f"a {SUBJECTS[label]} {place}")


def test_pictures_of_others_have_the_lowest_margins(context: Context) -> None:
    right = [one for name in SUBJECTS for one in true_pictures(name, name)]
    wrong = [*true_pictures("dog6", "dog2"), *true_pictures("cat2", "teapot")]
    filter = Identity(encoder="dino", least=0.0, drop=0.0, alone="refuse")
    found = [verdict.passed for verdict in filter.judge([*right, *wrong], context, {}) if verdict]
    assert sum(found[: len(right)]) >= 0.9 * len(right)
    assert sum(found[len(right) :]) <= 0.2 * len(wrong)


def test_a_list_keeps_as_many_of_each_and_leaves_out_what_is_wrong(context: Context) -> None:
    pictures = [one for name in SUBJECTS for one in true_pictures(name, name)]
    wrong = [*true_pictures("dog6", "dog2"), *true_pictures("cat2", "teapot")]
    more = [one for name in ("dog2", "teapot") for one in true_pictures(name, name)]
    filters = {
        "identity": Identity(encoder="dino", least=None, drop=0.0, alone="refuse"),
        "share": Share(share=0.5, by="identity"),
    }
    found = judge(filters, [*pictures, *wrong, *more], context)
    assert not found.problems
    assert {name: sum(row.subject == name for row in found.kept) for name in SUBJECTS} == dict.fromkeys(SUBJECTS, 4)
    assert all(row.reasons for row in found.rows[len(pictures) : len(pictures) + len(wrong)])


def test_another_prompt_has_a_lower_cosine(context: Context) -> None:
    filter = Prompt(encoder="clip", least=None, drop=0.0)
    [*own] = filter.judge(list(true_pictures("dog6", "dog6")), context, {})
    [*other] = filter.judge(list(true_pictures("dog6", "dog6", text="a teapot on a wooden floor")), context, {})
    pairs = [(mine.value, theirs.value) for mine, theirs in zip(own, other, strict=True) if mine and theirs]
    assert len(pairs) == len(PLACES)
    assert all(mine > theirs for mine, theirs in pairs)


def test_the_photos_themselves_are_the_easiest(context: Context) -> None:
    filter = Easy(encoder="dino", of="subject", most=0.9, decay=1e-3)
    photos = [candidate(each.photo.content, each.subject, picture=each.photo.load()) for each in context.known]
    new = [one for name in SUBJECTS for one in true_pictures(name, name)]
    values = [
        torch.tensor([verdict.value for verdict in filter.judge(some, context, {}) if verdict])
        for some in (photos, new)
    ]
    assert values[0].mean() > values[1].mean()
