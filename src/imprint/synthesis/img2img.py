"""synthesis=img2img: a photo with noise, drawn from there (SDEdit, arXiv 2108.01073), as DA-Fusion does (2302.07944).

The less noise, the more of the photo stays: its composition, its place, and that the subject is itself.
"""

from typing import Annotated

from annotated_types import Ge, Le, MinLen
from PIL import Image

from imprint.kinds import of_kind
from imprint.labelled.row import Quality
from imprint.synthesis.base import Asked, Beginning, Strength, Synthesis
from imprint.synthesis.prompts import Prompts


@of_kind("synthesis/img2img")
class ImageToImage(Synthesis):
    """Up to the strength `masks_up_to`, a picture is taken to have its subject where the photo has it."""

    name = "img2img"

    def __init__(
        self,
        *,
        prompts: Prompts,
        strengths: Annotated[list[Strength], MinLen(1)],
        masks_up_to: Annotated[float, Ge(0), Le(1)],
    ) -> None:
        self.prompts = prompts
        self.strengths = strengths
        self.masks_up_to = masks_up_to

    @property
    def uses_photos(self) -> bool:
        return True

    def beginning(self, asked: Asked) -> Beginning:
        assert asked.photo is not None
        return Beginning(asked.seen.photo(asked.photo), None)

    def mask(self, asked: Asked) -> tuple[Image.Image, Quality] | None:
        assert asked.photo is not None and asked.strength is not None
        mask = asked.seen.mask(asked.photo) if asked.strength <= self.masks_up_to else None
        return None if mask is None else (mask, "estimated")
