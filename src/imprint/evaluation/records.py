"""The records that generating, encoding and measuring exchange."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from PIL import Image

from imprint.evaluation.statistics.nesting import Averaging
from imprint.pictures.files import State, open_picture
from imprint.seeds import seed_of
from imprint.types import Concept

if TYPE_CHECKING:
    from torch import Tensor

Side = Literal["images", "texts", "layers", "answers", "patches"]  # what an encoder may offer
Question = tuple[str, ...]  # about a picture; which there are, says the encoder that answers them
Better = Literal["higher", "lower", "neither"]  # which values of a metric


class PictureRequest(NamedTuple):
    """A picture that a profile asks for. Its noise depends on (subject, template, k) alone, not on the model."""

    set: str  # the prompts it belongs to: subject, class, unrelated
    number: int  # of the prompt in its set
    template: str  # with {identifier} and {noun}
    category: str  # recontextualisation, accessory, property, ...
    k: int  # which of this prompt's pictures

    def seed(self, subject: str) -> int:
        """Of its noise."""
        return seed_of("evaluation", subject, self.template, self.k)


class Picture(Protocol):
    """What encoders compute features of. Pictures of one content have the same features."""

    @property
    def content(self) -> str: ...

    def load(self) -> Image.Image: ...


class Shot(NamedTuple):
    """A picture that was asked for, and its file; it may have failed."""

    request: PictureRequest
    prompt: str  # as the model saw it
    seed: int
    file: Path
    content: str  # hash of the file's bytes; empty where there is none
    state: State

    def load(self) -> Image.Image:
        return open_picture(self.file)


def _no_mask() -> None:
    return None


class Photo(NamedTuple):
    """A real picture."""

    key: str
    content: str
    trained_on: bool  # False: held out
    read: Callable[[], Image.Image]
    mask: Callable[[], Image.Image | None] = _no_mask  # grey, of its size: white is the subject

    def load(self) -> Image.Image:
        return self.read()


class Features(Protocol):
    """Features by role (clip, dino, ...), once per content, in batches. Float32, on the CPU, not normalised."""

    def images(self, role: str, pictures: Sequence[Picture]) -> "Tensor": ...  # (N, D)

    def texts(self, role: str, texts: Sequence[str]) -> "Tensor": ...  # (N, D)

    def layers(self, role: str, pictures: Sequence[Picture]) -> "Sequence[Tensor]": ...  # of each depth: (N, L, D)

    def answers(self, role: str, pictures: Sequence[Picture], questions: Sequence[Question]) -> "Tensor": ...  # (N,)

    def patches(self, role: str, pictures: Sequence[Picture], *, kept: bool = False) -> "Tensor": ...  # (N, H, W, D)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a metric is computed from: one subject, in the pictures of one model. Shots are usable ones, in the order of
    the requests."""

    subject: str
    concept: Concept
    shots: Mapping[str, Sequence[Shot]]  # by prompt set
    untuned: Mapping[str, Sequence[Shot]]  # the untuned model's, of the same prompts and noise, where needed
    photos: Sequence[Photo]  # of the subject
    class_photos: Sequence[Photo]  # of other members of its class, where the user has some
    others: Sequence[Photo]  # of other things, which an upscaler enlarges, too
    averaging: Averaging  # under pairs, what is measured between pictures and photos has a number for each pair
    features: Features


class Value(NamedTuple):
    """A measured number: of a picture, of a prompt (k is None), or of the subject (number is None, too)."""

    set: str
    number: int | None
    k: int | None
    value: float


class Candidate(NamedTuple):
    """What is known of a subject before a picture of it is drawn."""

    name: str
    noun: str
    photo_sizes: Sequence[tuple[int, int]]  # width and height
    prompts: Mapping[str, Sequence[tuple[str, str]]]  # by set: template, category


class Needs(NamedTuple):
    """What a metric requires."""

    sets: tuple[str, ...]  # prompt sets of the evaluated model
    untuned: tuple[str, ...]  # prompt sets of the untuned one
    encoders: tuple[str, ...]  # roles
    photos: int  # how many real pictures
    trained_on: int = 0  # how many of them that the model was trained on
    held_out: int = 0  # how many of them that it was not
    class_photos: int = 0  # how many real pictures of other members of the class
    pictures: int = 1  # how many of each prompt
    in_all: int = 1  # how many of each prompt set, and of real ones of the class where these are needed
    outnumber_features: bool = False  # whether these must be more than its encoders' features
    sides: tuple[Side, ...] = ("images",)  # what its encoders must offer
