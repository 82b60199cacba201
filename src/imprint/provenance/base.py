"""How a picture that leaves the program says what made it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from PIL import Image

from imprint.errors import Problem
from imprint.hashing import file_hash, fingerprint
from imprint.kinds import kind_of, label
from imprint.pictures.files import PictureWriter

NO_WEIGHTS = ("README.md", "samples")  # in a result's folder: its card, and the card's pictures


SourceType = Literal["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeCapture"]


def source_type(*, photo: bool, model: bool) -> SourceType:
    """What IPTC calls a picture with parts of photos, with what a model drew, or with both."""
    if not photo:
        return "trainedAlgorithmicMedia"
    return "compositeWithTrainedAlgorithmicMedia" if model else "compositeCapture"


class MadeBy(NamedTuple):
    """Hashes of the weights that drew a picture, or a sheet of pictures, and of the pictures that it is made of:
    photos, or the low picture of a larger one, with the `settings` of how that was made, as key=value."""

    bases: tuple[str, ...]
    results: tuple[str, ...]
    parents: tuple[str, ...] = ()
    source_type: SourceType = "trainedAlgorithmicMedia"
    settings: tuple[str, ...] = ()

    @property
    def hashes(self) -> dict[str, tuple[str, ...]]:
        """By name, and settings with them; of what former pictures had none of, only where there is any."""
        weights = {"bases": self.bases, "results": self.results}
        more = {"parents": self.parents, "settings": self.settings}
        return {**weights, **{name: values for name, values in more.items() if values}}

    @classmethod
    def all_of(cls, several: Iterable["MadeBy"]) -> "MadeBy":
        """Each hash once."""
        pairs = list(several)
        bases = dict.fromkeys(base for pair in pairs for base in pair.bases)
        return cls(tuple(bases), tuple(dict.fromkeys(result for pair in pairs for result in pair.results)))


class Provenance(ABC):
    """What a `provenance` configuration constructs."""

    says: ClassVar[str]  # of pictures, in a sentence of the model card

    def problems(self) -> Iterator[Problem | str]:
        """What stands in the way on this machine, to be told before anything is drawn."""
        return iter(())

    @abstractmethod
    def save(self, picture: Image.Image, file: Path, made_by: MadeBy, *, parts: Sequence[Path] = ()) -> None:
        """Writes a PNG with exactly these pixels. `parts` are files of pictures that are shown in it."""

    def writer(self, made_by: Callable[[], MadeBy]) -> PictureWriter:
        """For a store. `made_by` is called when a picture is written: hashing weights may take long."""
        return PictureWriter(label(kind_of(type(self)) or ""), partial(_save, self, made_by))


def result_hash(folder: Path) -> str:
    """SHA-256 of a result's file; where there are several, of their names and hashes."""
    inside = {file.relative_to(folder): file for file in folder.rglob("*") if file.is_file()}
    files = {name.as_posix(): file for name, file in inside.items() if name.parts[0] not in NO_WEIGHTS}
    return file_hash(*files.values()) if len(files) == 1 else fingerprint(files)


def _save(provenance: Provenance, made_by: Callable[[], MadeBy], picture: Image.Image, file: Path) -> None:
    provenance.save(picture, file, made_by())
