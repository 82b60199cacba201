"""What several checks find is told together."""

import pytest

from imprint.errors import ConfigError, Faults, ModelNotFound, Problem, UserError


def gathered(*errors: UserError) -> Faults:
    faults = Faults()
    for error in errors:
        with faults.gathered():
            raise error
    return faults


def test_each_thing_is_told_once() -> None:
    one, other = Problem("steps", 0, "give more."), Problem("size", 3, "give another.")
    with pytest.raises(ConfigError) as caught:
        gathered(ConfigError([one, other]), UserError("nothing is here"), ConfigError([one])).tell()
    assert caught.value.problems == [one, other, "nothing is here"]


def test_one_thing_alone_is_told_as_it_was() -> None:
    error = ModelNotFound("not here")
    with pytest.raises(ModelNotFound) as caught:
        gathered(error, ModelNotFound("not here")).tell()
    assert caught.value is error


def test_nothing_is_told_where_nothing_is_wrong_and_what_is_no_mistake_of_the_user_is_not_kept() -> None:
    faults = Faults()
    with faults.gathered():
        pass
    faults.tell()
    with pytest.raises(KeyError), faults.gathered():
        raise KeyError
