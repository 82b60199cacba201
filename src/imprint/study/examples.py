"""The pictures of a study: photos to train on, pictures that were made of them, and photos to test on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image

from imprint.data.decoding import decode_mask
from imprint.data.decoding import read as read_file
from imprint.hashing import file_hash
from imprint.labelled.folder import LabelledFolder

# Of masks: as they were made; put beside a photo by somebody; found by an algorithm.
Quality = Literal["exact", "given", "estimated"]


class Marking(NamedTuple):
    """Where in a picture its subject is: white in a mask."""

    file: Path
    quality: Quality
    estimator: str  # what found it, where that is known

    @property
    def content(self) -> str:
        return file_hash(self.file)

    def load(self) -> Image.Image:
        """Grey."""
        return decode_mask(read_file(self.file))


class Example(NamedTuple):
    """A picture. `key` is what rows call a photo that something was made from, `number` which of its subject's photos
    it is. `taught` are the photos that its generator was taught from; None: there was none, or nobody says."""

    key: str
    number: int
    subject: str
    source: str
    labels: Mapping[str, float]
    content: str  # hash of the file's bytes
    parent: str
    taught: frozenset[str] | None
    untold: bool  # whether a generator made it of which nobody says what it was taught from
    read: Callable[[], Image.Image]
    marking: Marking | None = None
    shift: str = ""  # of a photo to test on: what it has that photos to train on have not
    only_for: int | None = None  # the number of shots that it was drawn for; None: any

    def load(self) -> Image.Image:
        return self.read()

    def is_made_of(self, photos: Mapping[str, frozenset[str]]) -> bool:
        """Whether these photos, by subject, are all that is in it: none more was taught from, and none fewer."""
        if self.parent and not any(self.parent in keys for keys in photos.values()):
            return False
        return self.taught is None or self.taught == photos.get(self.subject)


class PictureSet(NamedTuple):
    """A folder that was read. `source` is what its pictures count as, where the study says so; `pictures` are hashes of
    those that are no photos."""

    folder: LabelledFolder
    source: str
    pictures: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Material:
    """`photos` are by subject, in the order in which shots are counted. `strangers` are photos to test on of subjects
    that there are no photos to train on of."""

    photos: Mapping[str, Sequence[Example]]
    pictures: Sequence[Example]
    tests: Sequence[Example]
    strangers: Sequence[Example]
    nouns: Mapping[str, str]
    sets: Sequence[PictureSet]
    filters_looked_with: frozenset[str]  # fingerprints of encoders
    remarks: Sequence[str]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(self.photos)

    def first(self, shots: int) -> dict[str, tuple[Example, ...]]:
        """Of each subject: what fewer shots have, more have too."""
        return {subject: tuple(photos[:shots]) for subject, photos in self.photos.items()}
