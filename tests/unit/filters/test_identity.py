"""The margin to the nearest other subject."""

import pytest
from candidates import candidate, context, known, verdicts

from imprint.filters.identity import Identity

FEATURES = {"dog": [1, 0], "dog again": [1, 1], "cat": [0, 1], "picture": [2, 0], "stray": [0, 3]}
BOTH = [known("dog"), known("dog again"), known("cat", "cat2", "cat")]


def identity(**settings: object) -> Identity:
    return Identity(**{"encoder": "dino", "least": 0.0, "drop": 0.0, "alone": "refuse", **settings})


def test_it_is_own_less_nearest_other() -> None:
    given = context(BOTH, FEATURES)
    own = (1 + 0.5**0.5) / 2
    found = verdicts(identity(), [candidate("picture"), candidate("stray")], given)
    assert found == [(round(own, 3), True), (round(0.5**0.5 / 2 - 1, 3), False)]
    reason = identity().judge([candidate("stray")], given, {})[0]
    assert reason is not None
    assert reason.reason.startswith("nearer to cat2 (-0.646")
    assert given.features.roles == {"dino"}


def test_photos_to_test_with_have_no_part() -> None:
    with_test = context([*BOTH, known("stray", trained_on=False)], FEATURES)
    pictures = [candidate("picture"), candidate("stray")]
    assert verdicts(identity(), pictures, with_test) == verdicts(identity(), pictures, context(BOTH, FEATURES))


def test_one_photo_of_each_is_enough() -> None:
    given = context([known("dog"), known("cat", "cat2")], FEATURES)
    assert not list(identity().problems(given))
    assert verdicts(identity(), [candidate("picture"), candidate("picture", "cat2")], given) == [(1, True), (-1, False)]


def test_a_single_subject_has_no_margin() -> None:
    given = context([known("dog")], FEATURES)
    assert "only those of dog6" in next(iter(identity().problems(given)))
    skipping = identity(alone="skip")
    assert not list(skipping.problems(given))
    assert skipping.judge([candidate("picture")], given, {}) == [None]


def test_a_subject_without_photos_is_told() -> None:
    given = context([*BOTH, known("x", "teapot", trained_on=False)], FEATURES)
    assert [problem.partition(":")[0] for problem in identity().problems(given)] == ["teapot"]


def test_a_role_names_its_encoder() -> None:
    assert identity(encoder="clip").needs.encoders == ("clip",)


@pytest.mark.parametrize("drop", [0.5])
def test_the_share_with_the_lowest_margins_can_be_dropped(drop: float) -> None:
    found = verdicts(
        identity(least=None, drop=drop), [candidate("picture"), candidate("dog again")], context(BOTH, FEATURES)
    )
    assert [kept for _, kept in found] == [True, False]
