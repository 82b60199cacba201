"""A folder as kohya's scripts name it, `10_sks dog`: so many repeats, then the word and the class."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from imprint.data.dataset import AUTO
from imprint.data.folder import PictureFolder
from imprint.data.listing import REPEATS_AND_WORDS, printable
from imprint.kinds import of_kind
from imprint.locations import locate


class Named(NamedTuple):
    """What a folder's name says; no identifier where it has a single word, which is the class."""

    identifier: str | None
    noun: str


def named(folder: Path) -> Named | None:
    """None for a name of another form."""
    found = REPEATS_AND_WORDS.fullmatch(folder.name)
    if not found:
        return None
    first, _, rest = found["words"].strip().partition(" ")
    return Named(first, rest.strip()) if rest.strip() else Named(None, first)


@of_kind("dataset/kohya")
@dataclass(kw_only=True)
class KohyaFolder(PictureFolder):
    """The pictures of `path`, which is called `10_sks dog` itself or holds one folder of such a name.

    The word and the class of the name stand for `identifier` and `class_noun`, where those are auto. Repeats weigh
    several folders in one training; of a single one, all pictures are seen equally often.
    """

    def __post_init__(self) -> None:
        folder = self._named_folder()
        if folder is not None:
            self.path = str(folder)
            found = named(folder)
            assert found is not None
            if self.identifier.strip() == AUTO and found.identifier:
                self.identifier = found.identifier
            if self.class_noun.strip() == AUTO:
                self.class_noun = found.noun
        super().__post_init__()

    def _named_folder(self) -> Path | None:
        """None where there is no such folder here, as for a run from another machine. Raises ValueError."""
        folder = Path(os.path.normpath(locate(self.path)))
        if named(folder):
            return folder
        if not folder.is_dir():
            return None
        fitting = sorted(place for place in folder.iterdir() if place.is_dir() and named(place))
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            raise ValueError(
                f"path={self.path!r}: neither this folder nor one inside it is called like '10_sks dog'. Rename it, or "
                "use dataset=folder dataset.path=... dataset.class_noun=dog dataset.identifier=sks."
            )
        names = ", ".join(printable(place.name) for place in fitting)
        raise ValueError(
            f"path={self.path!r}: it holds several ({names}). Give one of them; several subjects in one run are "
            "dataset=joint +dataset@dataset.subjects.a=kohya dataset.subjects.a.path=..."
        )
