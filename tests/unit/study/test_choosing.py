"""Which settings are the best, and whether that is told apart."""

from collections.abc import Callable
from pathlib import Path

import pytest

from imprint.errors import UserError
from imprint.study import choosing
from imprint.study.choosing import Record, Trial, behind, choice_table, ranked, read_record
from imprint.study.study import Study

SUBJECTS = [f"subject{number}" for number in range(8)]


def trial(name: str, **by_subject: float) -> Trial:
    return Trial(settings=[name], value=sum(by_subject.values()) / len(by_subject), by_subject=by_subject)


def around(name: str, mean: float, spread: float) -> Trial:
    return trial(name, **{subject: mean + spread * (-1) ** number for number, subject in enumerate(SUBJECTS)})


def record(*trials: Trial, tests: tuple[str, ...] = ()) -> Record:
    return Record(arm="synthetic", metric="accuracy", fixed=[], words=[], trials=trials, tests=tests)


@pytest.mark.parametrize(("metric", "first"), [("accuracy", "high"), ("nll", "low")])
def test_the_best_comes_first_by_what_is_better(metric: str, first: str) -> None:
    both = [trial("low", a=0.2, b=0.4), trial("high", a=0.5, b=0.7)]
    assert ranked(both, metric)[0].settings == [first]


def test_those_that_are_not_told_from_the_first_are_counted() -> None:
    first, near, far = around("first", 0.8, 0.0), around("near", 0.79, 0.2), around("far", 0.5, 0.01)
    table = choice_table([first, near, far], "accuracy")
    assert [row.cells[0].value for row in table.rows] == ["first", "near", "far"]
    assert "1 of 2 others are not told from the first" in " ".join(table.notes)
    interval = behind(far, first)
    assert interval is not None
    assert interval.high < 0


def test_what_a_search_wrote_is_read_back(tmp_path: Path) -> None:
    said = record(trial("guidance=2", a=0.5), trial("guidance=5", a=0.25), tests=("x",))
    said.write(tmp_path)
    found = read_record(tmp_path)
    assert (found.best.settings, found.best.value, found.tests) == (["guidance=2"], 0.5, ["x"])


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no search ended there"), ("{", "damaged"), ('{"version": 1}', "cannot be")]
)
def test_where_there_is_none_it_is_said(content: str | None, said: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / choosing.FILE).write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_record(tmp_path)


def test_photos_that_a_choice_went_by_are_none_to_test_it_on(made: Callable[..., Study], tmp_path: Path) -> None:
    material = made("arms=[classical,synthetic]").material
    own = [one.content for one in material.tests]
    [problem] = choosing.problems(record(trial("x", a=0.5), tests=(own[0], "another")), tmp_path, material)
    assert f"chosen by 1 of these very photos to test on ({material.tests[0].key} is one)" in problem.remedy
    assert not list(choosing.problems(record(trial("x", a=0.5), tests=("another",)), tmp_path, material))
