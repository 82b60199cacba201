"""Where a subject's pictures come from, and how they are used."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Lt
from PIL import ImageColor
from pydantic import NonNegativeInt

from imprint.data.captions import Captions, read_captions
from imprint.data.framing import Crop
from imprint.data.gathering import BadPictures, Candidate, gather
from imprint.data.holdout import Split, split
from imprint.data.listing import list_pictures
from imprint.data.names import printable
from imprint.data.pictures import PictureSet
from imprint.kinds import KIND
from imprint.locations import locate

CaptionSource = Literal["auto", "prefix", "template"]
Kind = Literal["object", "live"]
AUTO = "auto"


@dataclass(kw_only=True)
class Dataset(ABC):
    """What a `dataset` configuration constructs: a subject, and where its pictures are.

    identifier    the word that will name the subject, or "auto": the method chooses one
    class_noun    what the pictures show: dog, teapot, painting; or "auto": the likeliest of `nouns`
    nouns         a list of nouns, or the name of one
    subject       the subject's readable name, or "auto": that of the place where its pictures are
    kind          object or live: benchmarks ask other prompts of a dog than of a teapot
    holdout       so many different pictures are kept out of training, to be scored against
    captions      auto: a picture's own caption where it has one, the method's templates otherwise;
                  prefix: the same, with the subject's words before a caption that lacks the identifier;
                  template: the templates, own captions are not even read
    caption_dropout  the share of samples that have the empty caption; prior samples keep theirs
    bad_pictures  strict: an unusable picture stops the run; skip: it is left out, with a warning
    background    the colour behind transparent pictures
    crop          centre, random: squares; buckets: the rectangle nearest to the picture's own shape
    flip          mirror half of the samples
    """

    # Where pictures lie and how they are read is no part of a result: their content is, by its fingerprint.
    not_in_identity: ClassVar[frozenset[str]] = frozenset(
        {
            KIND,
            "identifier",
            "class_noun",
            "nouns",
            "subject",
            "kind",
            "holdout",
            "captions",
            "bad_pictures",
            "background",
        }
    )

    former_defaults: ClassVar[Mapping[str, Any]] = {"caption_dropout": 0.0}

    identifier: str
    class_noun: str
    nouns: str | list[str]
    subject: str
    kind: Kind
    holdout: NonNegativeInt
    captions: CaptionSource
    caption_dropout: Annotated[float, Ge(0), Lt(1)]
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
        if not self.nouns:
            wrong.append("nouns=[]: give at least one, or the name of a list: common.")
        if not self.subject.strip():
            wrong.append("subject='': must not be blank. Give the subject's name, or auto.")
        try:
            ImageColor.getrgb(self.background)
        except ValueError:
            wrong.append(f"background={self.background!r}: no colour. Give a name (white) or a value (#ffffff).")
        if wrong:
            raise ValueError("\n".join(wrong))
        self.subject = self._own_name() if self.subject.strip() == AUTO else self.subject.strip()

    @property
    def members(self) -> Mapping[str, "Dataset"]:
        """The subjects by name; a single one needs none."""
        return {"": self}

    def open(self) -> PictureSet:
        """The pictures to train on. Raises UserError with all that is wrong, in one message."""
        return self.parts().trained

    def held_out(self) -> PictureSet | None:
        """The pictures that are kept out of training. Raises UserError as `open` does."""
        return self.parts().held_out

    def parts(self) -> Split:
        """Both parts. Raises UserError as `open` does."""
        return split(self._all_pictures(), self.holdout)

    @abstractmethod
    def _all_pictures(self) -> PictureSet:
        """Every picture, tried and measured. Raises UserError with all that is wrong, in one message."""

    @abstractmethod
    def _own_name(self) -> str:
        """What the subject is called where its pictures are. No file is touched."""


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
    own = read_captions(folder, [file.name for file in files]) if captions != "template" else Captions({}, [])
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
