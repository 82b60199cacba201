"""synthesis=paste: the subject, cut out by its mask, on other places (Cut, Paste and Learn, arXiv 1708.01642). No
network draws the subject, so it is always itself; it is also always as it was photographed. Hard to beat."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated

from annotated_types import Ge, Le
from PIL import Image

from imprint.data.pictures import PictureSet
from imprint.data.reading import open_folder
from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.labelled.row import Quality
from imprint.setting_types import Place
from imprint.synthesis.base import Asked, Synthesis, Weights
from imprint.synthesis.cut_out import Scale, cut_out, placed
from imprint.synthesis.places import drawn_place, photographed_place
from imprint.synthesis.prompts import Prompts, turn
from imprint.synthesis.taught import Taught
from imprint.templates import template_fault

GENERATED, DRAWN = "generated", "drawn"


@of_kind("synthesis/paste")
class Paste(Synthesis):
    """`places` is generated: by the untuned model, which is asked for `place_prompt` with each place of the prompts;
    drawn: patches of colour; or a folder of photos. `scale`: the subject's longer side, as a share of the picture's,
    from and to. `soft`: how far its edge fades, as such a share."""

    name = "paste"

    def __init__(
        self,
        *,
        prompts: Prompts,
        places: Place,
        place_prompt: str,
        scale: Scale,
        soft: Annotated[float, Ge(0), Le(0.2)],
        flip: bool,
    ) -> None:
        if fault := template_fault(place_prompt, ("place",)):
            raise ValueError(f"place_prompt: {fault}")
        self.prompts = prompts
        self.places = places
        self.place_prompt = place_prompt
        self.scale = scale
        self.soft = soft
        self.flip = flip

    @property
    def weights(self) -> Weights:
        return "untuned" if self.places == GENERATED else "none"

    @property
    def uses_photos(self) -> bool:
        return True

    @property
    def uses_masks(self) -> bool:
        return True

    def content(self) -> Mapping[str, str]:
        return {} if self.places in (GENERATED, DRAWN) else {"places": self._photographed.fingerprint}

    def problems(self, subjects: Sequence[Taught], images: int) -> Iterator[Problem | str]:
        yield from super().problems(subjects, images)
        if self.places not in (GENERATED, DRAWN):
            _ = self._photographed  # of which reading tells what is wrong

    def finished(self, asked: Asked, drawn: Image.Image | None) -> Image.Image:
        return self._placed(asked, drawn if drawn is not None else self._place(asked))[0]

    def mask(self, asked: Asked) -> tuple[Image.Image, Quality]:
        height, width = asked.subject.size
        return self._placed(asked, Image.new("RGB", (width, height)))[1], "construction"

    def _placed(self, asked: Asked, place: Image.Image) -> tuple[Image.Image, Image.Image]:
        assert asked.photo is not None
        mask = asked.seen.mask(asked.photo)
        assert mask is not None
        cut = cut_out(asked.seen.photo(asked.photo), mask)
        return placed(cut, place, self.scale, *asked.named("paste"), soft=self.soft, flip=self.flip)

    def _place(self, asked: Asked) -> Image.Image:
        if self.places == DRAWN:
            return drawn_place(asked.subject.size, *asked.named("paste"))
        photos = self._photographed
        index = turn(len(photos), asked.k, asked.subject.label, asked.number, "place")
        return photographed_place(photos, index, asked.subject.size)

    @cached_property
    def _photographed(self) -> PictureSet:
        return open_folder(self.places, key="synthesis.places", bad_pictures="strict", background="white")

    def _filled(self, template: str, place: str, subject: Taught) -> str:
        return " ".join(self.place_prompt.format(place=place).split()) if self.places == GENERATED else ""
