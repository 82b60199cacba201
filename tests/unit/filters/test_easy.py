"""What a classifier of the photos is sure of."""

from candidates import candidate, context, known, verdicts

from imprint.filters.easy import Easy

FEATURES = {"dog": [1, 0.1], "cat": [0.1, 1], "sure": [1, 0], "between": [1, 0.9], "wrong": [0, 1]}


def easy(**settings: object) -> Easy:
    return Easy(**{"encoder": "clip", "of": "subject", "most": 0.9, "decay": 1e-3, **settings})


def test_what_is_surely_right_is_rejected() -> None:
    given = context([known("dog"), known("cat", "cat2", "cat")], FEATURES)
    found = verdicts(easy(), [candidate("sure"), candidate("between"), candidate("wrong")], given)
    assert [kept for _, kept in found] == [False, True, True]
    assert found[0][0] > found[1][0] > found[2][0]
    assert sum(value for value, _ in verdicts(easy(), [candidate("between"), candidate("between", "cat2")], given)) == 1


def test_a_label_that_no_photo_has_is_not_known() -> None:
    given = context([known("dog"), known("cat", "cat2", "cat")], FEATURES)
    assert verdicts(easy(), [candidate("sure", "teapot")], given) == [(0, True)]


def test_classes_can_be_told_apart_in_place_of_subjects() -> None:
    given = context([known("dog"), known("between", "dog2"), known("cat", "cat2", "cat")], FEATURES)
    assert not list(easy(of="class").problems(given))
    assert verdicts(easy(of="class"), [candidate("sure", "dog2")], given)[0][0] > 0.9


def test_it_needs_two_to_tell_apart() -> None:
    assert "only those of dog6" in next(iter(easy().problems(context([known("dog")]))))
    two_dogs = context([known("dog"), known("cat", "dog2", "dog")])
    assert not list(easy().problems(two_dogs))
    assert "only those of dog" in next(iter(easy(of="class").problems(two_dogs)))
