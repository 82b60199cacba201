"""Where a subject's pictures come from, and how they are used."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from PIL import ImageColor

from imprint.data.captions import Captions, read_captions
from imprint.data.framing import Crop
from imprint.data.gathering import BadPictures, Candidate, gather
from imprint.data.listing import list_pictures
from imprint.data.names import printable
from imprint.data.pictures import PictureSet
from imprint.locations import locate

CaptionSource = Literal["auto", "template"]


@dataclass(kw_only=True)
class Dataset(ABC):
    """What a `dataset` configuration constructs: a subject, and where its pictures are.

    identifier    the word that will name the subject, or "auto": the method chooses one
    class_noun    what the pictures show: dog, teapot, painting
    captions      auto: a picture's own caption where it has one, the method's templates otherwise;
                  template: the templates, own captions are not even read
    bad_pictures  strict: an unusable picture stops the run; skip: it is left out, with a warning
    background    the colour behind transparent pictures
    crop          centre, random: squares; buckets: the rectangle nearest to the picture's own shape
    flip          mirror half of the samples
    """

    # Where pictures lie and how they are read is no part of a result: their content is, by its fingerprint.
    locators: ClassVar[frozenset[str]] = frozenset(
        {"_target_", "identifier", "class_noun", "captions", "bad_pictures", "background"}
    )

    identifier: str
    class_noun: str
    captions: CaptionSource
    bad_pictures: BadPictures
    background: str
    crop: Crop
    flip: bool

    def __post_init__(self) -> None:
        self.identifier, self.class_noun = self.identifier.strip(), self.class_noun.strip()
        wrong = []
        if not self.identifier:
            wrong.append("identifier='': must not be blank. Give a rare word, or auto.")
        if not self.class_noun:
            wrong.append("class_noun='': must not be blank. Say what the pictures show: dog.")
        try:
            ImageColor.getrgb(self.background)
        except ValueError:
            wrong.append(f"background={self.background!r}: no colour. Give a name (white) or a value (#ffffff).")
        if wrong:
            raise ValueError("\n".join(wrong))

    @abstractmethod
    def open(self) -> PictureSet:
        """Every picture, tried and measured. Raises UserError with all that is wrong, in one message."""


def open_folder(
    path: str,
    *,
    key: str,
    bad_pictures: BadPictures,
    background: str,
    captions: CaptionSource = "template",
) -> PictureSet:
    """The pictures of a folder; `key` names the setting that `path` comes from."""
    folder = locate(path)
    files = list_pictures(folder, key=key)
    own = read_captions(folder, [file.name for file in files]) if captions == "auto" else Captions({}, [])
    return gather(
        [Candidate(printable(file.name), file, own.by_name.get(file.name)) for file in files],
        place=f"{key}={printable(path)}",
        background=background,
        bad_pictures=bad_pictures,
        caption_problems=own.problems,
    )


def open_files(files: Sequence[Path]) -> PictureSet:
    """Opaque pictures that this program wrote itself, in the order given."""
    return gather(
        [Candidate(printable(file.name), file, None) for file in files],
        place=printable(files[0].parent),
        background="white",
        bad_pictures="strict",
        caption_problems=[],
    )
