"""The interface of filters, and what they judge by."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from imprint.evaluation.records import Features, Needs, Photo
from imprint.labelled.row import Row
from imprint.pictures.files import open_picture

NO_NEEDS = Needs(sets=(), untuned=(), encoders=(), photos=0)


class Candidate(NamedTuple):
    """A drawn picture that may be kept."""

    row: Row
    file: Path
    content: str  # hash of the file's bytes
    text: str  # what it should show, in words that any text encoder knows: its prompt without identifiers
    mask: Path | None = None

    def load(self) -> Image.Image:
        return open_picture(self.file)


class Known(NamedTuple):
    """A real picture. `photo.trained_on` is False of those kept for tests; `photo.key` is what rows call their
    parent."""

    subject: str
    noun: str
    photo: Photo


@dataclass(frozen=True, kw_only=True)
class Context:
    """What pictures are judged by. Pictures to test with are there for one purpose: that no copy of them is kept. Who
    judges by likeness looks at `photos` alone, or the test would choose its own training pictures."""

    subjects: Sequence[str]  # of which pictures are drawn
    known: Sequence[Known]
    features: Features

    @property
    def photos(self) -> list[Known]:
        return [each for each in self.known if each.photo.trained_on]

    def photos_by_subject(self) -> dict[str, list[Photo]]:
        found: dict[str, list[Photo]] = {}
        for each in self.photos:
            found.setdefault(each.subject, []).append(each.photo)
        return found


class Verdict(NamedTuple):
    """Of one picture, by one filter. `reason` says why it did not pass."""

    value: float
    threshold: float
    passed: bool
    reason: str = ""


# Of each candidate, in their order; None where the filter has nothing to say of it.
Verdicts = Sequence[Verdict | None]


class Filter(ABC):
    """What a `filter` configuration constructs. It keeps every setting under its name, for its fingerprint."""

    @property
    def needs(self) -> Needs:
        """The encoders by which it judges."""
        return NO_NEEDS

    def problems(self, context: Context) -> Iterator[str]:
        """Why it could not judge, and what to do, before anything is drawn. Nothing of the context is loaded."""
        return iter(())

    @abstractmethod
    def judge(self, candidates: Sequence[Candidate], context: Context, earlier: Mapping[str, Verdicts]) -> Verdicts:
        """Of all candidates, whatever the `earlier` filters of the list said of them."""

    def shortages(self, candidates: Sequence[Candidate], earlier: Mapping[str, Verdicts]) -> Iterator[str]:
        """Which subjects have too few pictures for it."""
        return iter(())


def by_subject(candidates: Sequence[Candidate]) -> dict[str, list[int]]:
    """The numbers of each subject's candidates."""
    found: dict[str, list[int]] = {}
    for number, candidate in enumerate(candidates):
        found.setdefault(candidate.row.subject, []).append(number)
    return found


def passed(earlier: Mapping[str, Verdicts], number: int) -> bool:
    """Whether no filter before has rejected this candidate."""
    return all(verdict is None or verdict.passed for verdicts in earlier.values() for verdict in [verdicts[number]])
