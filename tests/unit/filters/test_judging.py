"""A list of filters: all scores, all reasons, and what is missing."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import tiny_encoders
from candidates import candidate, context, known

from imprint.errors import UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.filters.base import Candidate, Context, Filter, Verdict, Verdicts
from imprint.filters.copies import Copies
from imprint.filters.identity import Identity
from imprint.filters.judging import check, fingerprints, judge
from imprint.filters.share import Share


class Longer(Filter):
    """Contents of at least so many letters pass."""

    def __init__(self, *, letters: int) -> None:
        self.letters = letters

    def problems(self, context: Context) -> Iterator[str]:
        if self.letters > 9:
            yield f"letters={self.letters}: too many."

    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        lengths = [len(one.content) for one in candidates]
        return [Verdict(n, self.letters, n >= self.letters, "" if n >= self.letters else "too short") for n in lengths]


CANDIDATES = [candidate("1"), candidate("22"), candidate("333"), candidate("4444", "cat2"), candidate("5", "cat2")]


def test_every_picture_has_every_score_and_every_reason() -> None:
    found = judge({"a": Longer(letters=2), "b": Longer(letters=3)}, CANDIDATES, context([]))
    assert [[score.filter for score in row.scores] for row in found.rows] == [["a", "b"]] * 5
    assert [row.reasons for row in found.rows] == [
        ("a: too short", "b: too short"), ("b: too short",), (), (), ("a: too short", "b: too short")
    ]  # fmt: skip
    assert found.kept == [found.rows[2], found.rows[3]]
    assert len(found.rejected) == 3
    assert found.problems == ()
    assert (found.rows[0].scores[1].value, found.rows[0].scores[1].threshold, found.rows[0].scores[1].passed) == (
        1,
        3,
        False,
    )


def test_no_filter_keeps_all() -> None:
    found = judge({}, CANDIDATES, context([]))
    assert found.kept == [one.row.judged((), ()) for one in CANDIDATES]
    assert judge({"a": Share(share=0.5, by=None)}, [], context([])).rows == ()


def test_an_emptied_subject_is_named_and_nothing_is_lost() -> None:
    found = judge({"a": Longer(letters=4)}, CANDIDATES, context([]))
    assert len(found.problems) == 1
    assert found.problems[0].startswith("dog6: not one of its 3 pictures is kept (3 by a)")
    assert len(found.rows) == 5


def test_a_short_subject_is_named() -> None:
    found = judge({"a": Longer(letters=2), "share": Share(share=1, by=None)}, CANDIDATES, context([]))
    assert "cat2 (1)" in "".join(found.problems)
    assert [row.subject for row in found.kept] == ["dog6", "dog6", "cat2"]


def test_all_problems_are_told_before() -> None:
    identity = Identity(encoder="dino", least=0, drop=0, alone="refuse")
    with pytest.raises(UserError) as caught:
        check({"identity": identity, "long": Longer(letters=10)}, context([known("x")]))
    assert "filter.identity: " in str(caught.value)
    assert "filter.long: letters=10" in str(caught.value)
    check({"long": Longer(letters=1)}, context([]))


def prints(encoder: Encoder, *, crop: float = 0.9, least: float = 0) -> dict[str, str]:
    identity = Identity(encoder="dino", least=least, drop=0, alone="skip")
    return fingerprints({"copies": Copies(crop=crop), "identity": identity}, {"dino": encoder})


def test_a_fingerprint_changes_with_settings_and_encoders(tmp_path: Path) -> None:
    one, other = (tiny_encoders.vit(tiny_encoders.tiny_vit(tmp_path / str(seed), seed=seed)) for seed in (0, 1))
    usual = prints(one)
    assert prints(one) == usual
    assert prints(other)["identity"] != usual["identity"]
    assert prints(other)["copies"] == usual["copies"]
    assert prints(one, crop=0.8)["copies"] != usual["copies"]
    assert prints(one, crop=0.8)["identity"] == usual["identity"]
    assert prints(one, least=0.5)["identity"] != usual["identity"]
