"""Rows are written so that they are read back as they were, with the same types whatever they say."""

import re
from typing import Any

import pytest
from labelled_sets import drawn, photo

from imprint.labelled.layout import NO_MASK
from imprint.labelled.row import Box, Row, Score, decoded, encoded


def types(value: Any) -> Any:
    """The types of a JSON value, of a list those of its first entry."""
    if isinstance(value, dict):
        return {key: types(inside) for key, inside in value.items()}
    return [types(value[0])] if isinstance(value, list) else type(value).__name__


@pytest.mark.parametrize(
    "row",
    [
        drawn(),
        drawn(masked=True),
        photo(),
        drawn(labels={"dog6": 0.75, "cat": 0.25}, reasons=("too small",), strength=0.5),
        drawn(objects=(Box(label="dog", box=(0, 0.5, 3, 4)), Box(label="", box=(1, 1, 1, 1)))[:1]),
        drawn(scores=(Score(filter="copies", value=1, threshold=2, passed=False),), seed=0),
    ],
)
def test_what_is_written_is_read(row: Row) -> None:
    assert decoded(encoded(row, mask=NO_MASK, rejected=True), no_mask=NO_MASK) == row


def test_all_rows_have_the_same_columns_and_types() -> None:
    rows = [drawn(), drawn(masked=True, reasons=("a",)), photo(), drawn(objects=(), scores=(), guidance=0, seed=0)]
    written = [types(encoded(row, mask=NO_MASK, rejected=True)) for row in rows]
    assert all(one == written[0] for one in written)
    assert "NoneType" not in str(written)
    assert next(iter(written[0])) == "file_name"


def test_what_another_programs_rows_do_not_say_follows_from_the_folder() -> None:
    row = decoded({"file_name": "dog6/00.jpg", "text": "a dog", "objects": None}, no_mask=NO_MASK)
    assert (row.subject, row.noun, row.labels, row.is_real) == ("dog6", "dog6", {"dog6": 1.0}, True)


@pytest.mark.parametrize("said", [{"label": "dog"}, {"class": "dog"}, {"subject": "dog"}])
def test_one_name_says_who_it_is_where_there_is_no_folder(said: dict[str, str]) -> None:
    row = decoded({"file_name": "00.jpg", **said}, no_mask=NO_MASK)
    assert (row.subject, row.noun, row.labels) == ("dog", "dog", {"dog": 1.0})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"labels": [{"label": "dog6", "share": 0.5}]}, "shares must sum to 1"),
        ({"labels": [{"label": "dog6", "share": 2.0}]}, "labels.dog6"),
        ({"labels": ["dog6"]}, "labels"),
        ({"seed": -1}, "seed=-1"),
        ({"class": 7}, "class=7"),
        ({"strength": float("nan")}, "strength=nan"),
        ({"label_quality": "guessed"}, "label_quality='guessed'"),
        ({"objects": [{"label": "x", "box": [1, 2, 3]}]}, "objects.0.box.3"),
        ({"scores": 3}, "scores=3"),
        ({"file_name": ""}, "file_name=''"),
    ],
)
def test_what_is_wrong_with_a_row_is_said(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        decoded(encoded(drawn(), mask=NO_MASK, rejected=True) | wrong, no_mask=NO_MASK)


def test_a_line_is_a_table() -> None:
    with pytest.raises(ValueError, match="no table"):
        decoded([1], no_mask=NO_MASK)
