"""What filters judge, for tests: candidates and photos whose pixels are in memory, and features written by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fake_evidence import FakeFeatures
from labelled_sets import drawn
from PIL import Image

from imprint.evaluation.records import Photo
from imprint.filters.base import Candidate, Context, Filter, Known, Verdicts


class InMemory(Candidate):
    """A candidate of which no file is read."""

    __slots__ = ()

    def load(self) -> Image.Image:
        return PICTURES[self.content]


PICTURES: dict[str, Image.Image] = {}


def candidate(
    content: str, subject: str = "dog6", *, picture: Image.Image | None = None, mask: Path | None = None, **facts: Any
) -> Candidate:
    """Called by its content, by which it has its features."""
    if picture is not None:
        PICTURES[content] = picture
    facts = {"prompt": f"a sks dog, {content}", **facts}
    row = drawn(subject, 0, len(content), **facts)
    return InMemory(row, Path(f"{content}.png"), content, f"a dog, {content}", mask)


def known(
    content: str,
    subject: str = "dog6",
    noun: str = "dog",
    *,
    picture: Image.Image | None = None,
    trained_on: bool = True,
) -> Known:
    def read() -> Image.Image:
        assert picture is not None, "its pixels have no part in this test"
        return picture

    return Known(subject, noun, Photo(f"{content}.jpg", content, trained_on, read))


def context(knowns: Sequence[Known], features: Mapping[str, Sequence[float]] | None = None) -> Context:
    subjects = tuple(dict.fromkeys(each.subject for each in knowns))
    return Context(subjects=subjects, known=knowns, features=FakeFeatures(features or {}))


def verdicts(
    filter: Filter, candidates: Sequence[Candidate], given: Context, earlier: Mapping[str, Verdicts] | None = None
) -> list[tuple[float, bool]]:
    """Of each candidate its number, to three digits, and whether it passed."""
    found = filter.judge(candidates, given, earlier or {})
    assert all(verdict is not None for verdict in found)
    assert all(bool(verdict.reason) != verdict.passed for verdict in found if verdict)
    return [(round(verdict.value, 3), verdict.passed) for verdict in found if verdict]
