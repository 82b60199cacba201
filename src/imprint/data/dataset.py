"""Where a subject's pictures come from, and how they are used; and several subjects in one run."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Lt
from PIL import ImageColor
from pydantic import NonNegativeInt, PositiveInt

from imprint.data.captions import CaptionSource
from imprint.data.framing import Crop
from imprint.data.holdout import Split, first, split
from imprint.data.pictures import PictureSet
from imprint.data.reading import BadPictures
from imprint.kinds import KIND, of_kind

Kind = Literal["object", "live"]
OptOut = Literal["tell", "refuse", "ignore"]
AUTO = "auto"
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # of a subject among several
WORDS = ("identifier", "noun")  # what prompts mean by these is no subject


@dataclass(kw_only=True)
class Dataset(ABC):
    """What a `dataset` configuration constructs: a subject, and where its pictures are.

    identifier    the word that will name the subject, or "auto": the method chooses one
    class_noun    what the pictures show: dog, teapot, painting; or "auto": the likeliest of `nouns`
    nouns         a list of nouns, or the name of one
    subject       the subject's readable name, or "auto": that of the place where its pictures are
    kind          object or live: benchmarks ask other prompts of a dog than of a teapot
    holdout       so many different pictures are kept out of training, to be scored against
    shots         of those to train on, the first so many alone are used, in the order of their place; null: all
    captions      auto: a picture's own caption where it has one, the method's templates otherwise;
                  prefix: the same, with the subject's words before a caption that lacks the identifier;
                  template: the templates, own captions are not even read
    caption_dropout  the share of samples that have the empty caption; prior samples keep theirs
    bad_pictures  strict: an unusable picture stops the run; skip: it is left out, with a warning
    background    the colour behind transparent pictures
    rights        whose the pictures are, and who has consented; for the manifest and the model card
    opt_out       what becomes of pictures whose metadata forbids training, or calls them synthetic
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
            "shots",
            "captions",
            "bad_pictures",
            "background",
            "rights",
            "opt_out",
        }
    )

    former_defaults: ClassVar[Mapping[str, Any]] = {
        "shots": None,
        "caption_dropout": 0.0,
        "rights": None,
        "opt_out": "tell",
    }

    identifier: str
    class_noun: str
    nouns: str | list[str]
    subject: str
    kind: Kind
    holdout: NonNegativeInt
    shots: PositiveInt | None
    captions: CaptionSource
    caption_dropout: Annotated[float, Ge(0), Lt(1)]
    bad_pictures: BadPictures
    background: str
    rights: str | None
    opt_out: OptOut
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
        trained, held_out = split(self._all_pictures(), self.holdout)
        return Split(first(trained, self.shots), held_out)

    @abstractmethod
    def _all_pictures(self) -> PictureSet:
        """Every picture, tried and measured. Raises UserError with all that is wrong, in one message."""

    @abstractmethod
    def _own_name(self) -> str:
        """What the subject is called where its pictures are. No file is touched."""


@of_kind("dataset/joint")
@dataclass(kw_only=True)
class JointDataset:
    """Subjects that are learned together, each from its own pictures, by name. Prompts say {name.identifier}."""

    not_in_identity: ClassVar[frozenset[str]] = frozenset({KIND})

    subjects: dict[str, Dataset]

    def __post_init__(self) -> None:
        wrong = []
        if not self.subjects:
            wrong.append("subjects={}: give at least one, for instance +dataset@dataset.subjects.a=mini/dog6.")
        for name in self.subjects:
            if not NAME.fullmatch(name) or name in WORDS:
                wrong.append(f"subjects.{name}: no name for a subject. Use letters and digits, as in a or my_dog.")
        crops = {name: dataset.crop for name, dataset in self.subjects.items()}
        if len(set(crops.values())) > 1:
            wrong.append(f"subjects: the samples of a step share a size, so every crop must be the same, not {crops}.")
        if wrong:
            raise ValueError("\n".join(wrong))

    @property
    def members(self) -> Mapping[str, Dataset]:
        return self.subjects
