"""The interface of the ways to make pictures of subjects, and what they have in common.

A method says which pictures there are to be (`ask`), what each begins as (`beginning`), what becomes of it when it is
drawn (`finished`), and where in it the subject is (`mask`). Who draws, stores and lists them knows no method.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from annotated_types import Gt, Le
from PIL import Image

from imprint.errors import Problem
from imprint.labelled.row import Quality, hard
from imprint.seeds import seed_of
from imprint.synthesis.prompts import Prompts, turn
from imprint.synthesis.taught import Taught

Weights = Literal["tuned", "untuned", "none"]  # that draw: of the subject's run, of the model it began with
Strength = Annotated[float, Gt(0), Le(1)]

WITHOUT_MASK = (
    "{keys}: no mask says where the subject is, which {name} must know. Put a mask beside each, NAME.mask.png or"
)
WITHOUT_MASK += (
    " masks/NAME.png, white where the subject is; have them estimated (masks=clipseg); or choose another method "
    "(synthesis=img2img)."
)
SHOWN = 4  # of names in a message


class Asked(NamedTuple):
    """A picture that is asked for: all that it is made from.

    It is called by `number`, of its prompt or photo, and `k`. `seen` is the subject whose photo it begins with, if it
    does; for all but mixtures, `subject` itself. `guidance` is None where the model's own is used.
    """

    subject: Taught
    number: int
    k: int
    seed: int
    prompt: str
    template: str
    place: str
    guidance: float | None
    seen: Taught
    photo: int | None
    strength: float | None
    labels: Mapping[str, float]

    @property
    def parent(self) -> str:
        """The photo that it was made from."""
        return "" if self.photo is None else self.seen.parent(self.photo)

    def named(self, *purpose: str | int) -> tuple[str | int, ...]:
        """The name of a random number of this picture's."""
        return ("synthesis", self.seed, *purpose)


class Beginning(NamedTuple):
    """What a picture is drawn from, and grey, white where that is kept."""

    picture: Image.Image
    kept: Image.Image | None


class Synthesis(ABC):
    """What a `synthesis` configuration constructs."""

    prompts: Prompts
    strengths: Sequence[float] = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """What rows call it."""

    @property
    def weights(self) -> Weights:
        return "tuned"

    @property
    def uses_photos(self) -> bool:
        """Whether each picture is made from a photo."""
        return False

    @property
    def uses_masks(self) -> bool:
        return False

    def content(self) -> Mapping[str, str]:
        """Hashes of files that the settings name, and pictures depend on."""
        return {}

    def problems(self, subjects: Sequence[Taught], images: int) -> Iterator[Problem | str]:
        """Whatever stands in the way, before anything is drawn."""
        yield from self._too_few(subjects, images)
        if self.uses_masks:
            yield from self._unmasked(subjects)

    def remarks(self, subjects: Sequence[Taught], images: int) -> Iterator[str]:
        """What one should know before it begins."""
        if not self.uses_photos:
            return
        counts = {subject.label: len(subject.photos) for subject in subjects}
        if single := [label for label, count in counts.items() if count == 1]:
            yield f"{_some(single)}: there is one photo, from which all {images} pictures are made."
        if len(set(counts.values())) > 1:
            listed = _some([f"{label} {count}" for label, count in counts.items()])
            yield f"Subjects have unequal numbers of photos ({listed}); each still has {images} pictures."

    def ask(self, subject: Taught, subjects: Sequence[Taught], images: int, settings: "Settings") -> list[Asked]:
        """A subject's pictures. The first ones do not depend on how many there are."""
        times: dict[int, int] = {}
        found = []
        for index, said in enumerate(self.prompts.of(subject.kind, subject.label, images)):
            seen, photo = self._photo(subject, subjects, index)
            number = said.number if photo is None else photo
            times[number] = times.get(number, -1) + 1  # a name has not whose photo it is
            strength = self._turn(self.strengths, subject, index, "strength")
            found.append(
                Asked(
                    subject=subject,
                    number=number,
                    k=times[number],
                    seed=seed_of("synthesis", settings.noise_seed, subject.label, said.template, said.k),
                    prompt=self._filled(said.template, said.place, subject),
                    template=said.template,
                    place=said.place,
                    guidance=self._turn(settings.guidances, subject, index, "guidance"),
                    seen=seen,
                    photo=photo,
                    strength=strength,
                    labels=self._labels(subject, seen, strength),
                )
            )
        return found

    def beginning(self, asked: Asked) -> Beginning | None:
        """None: noise alone."""
        return None

    def finished(self, asked: Asked, drawn: Image.Image | None) -> Image.Image:
        """The picture, of what was drawn; None where no weights draw."""
        assert drawn is not None
        return drawn

    def mask(self, asked: Asked) -> tuple[Image.Image, Quality] | None:
        """Where in the picture the subject is, and how that is known; None where it is not."""
        return None

    def _photo(self, subject: Taught, subjects: Sequence[Taught], index: int) -> tuple[Taught, int | None]:
        """Whose photo picture number `index` is made from, and which."""
        return subject, turn(len(subject.photos), index, subject.label, "photo") if self.uses_photos else None

    def _filled(self, template: str, place: str, subject: Taught) -> str:
        return subject.concept.fill(template)

    def _labels(self, subject: Taught, seen: Taught, strength: float | None) -> dict[str, float]:
        return hard(subject.label)

    def _turn(self, values: Sequence[float], subject: Taught, index: int, name: str) -> float | None:
        return float(values[turn(len(values), index, subject.label, name)]) if values else None

    def _too_few(self, subjects: Sequence[Taught], images: int) -> Iterator[Problem]:
        fewest = {subject.label: self.prompts.fewest(subject.kind) for subject in subjects}
        most = max(fewest.values(), default=0)
        if images < most:
            short = _some([label for label, count in fewest.items() if count > images])
            remedy = (
                f"of {short}, {most} prompts are each to be drawn once. Give at least images={most}, or fewer prompts "
                "(synthesis_prompts@synthesis.prompts=list 'synthesis.prompts.prompts=[...]')."
            )
            yield Problem("images", images, remedy)

    def _unmasked(self, subjects: Sequence[Taught]) -> Iterator[str]:
        without = [f"{subject.label}/{key}" for subject in subjects for key in subject.without_mask()]
        if without:
            yield WITHOUT_MASK.format(keys=_some(without), name=f"synthesis={self.name}")


class Settings(NamedTuple):
    """How a data set is drawn, whatever the method."""

    noise_seed: int
    guidances: Sequence[float]  # in turn; none: the model's own


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
