"""synthesis=repaint: a mask says what of a photo stays, and the rest is drawn anew.

keep=subject paints another place around it, keep=place another view of the subject into it. At each step of the
sampler what stays is put back at that step's level of noise, and at the end its true pixels, which the autoencoder
would blur; so any network can do it, not those alone that were made for masks.
"""

from typing import Annotated, Literal

from annotated_types import Ge, Le, MinLen
from PIL import Image, ImageChops, ImageFilter

from imprint.kinds import of_kind
from imprint.labelled.row import Quality
from imprint.synthesis.base import Asked, Beginning, Strength, Synthesis
from imprint.synthesis.cut_out import Scale, cut_out, placed
from imprint.synthesis.prompts import Prompts


@of_kind("synthesis/repaint")
class Repaint(Synthesis):
    """With a `scale`, a subject that is kept is moved to a place of its own and made that large (shares of a
    picture's side, from and to); null: it stays where the photo has it. `margin`: how far around the subject a place
    is drawn anew, as a share of the side."""

    name = "repaint"

    def __init__(
        self,
        *,
        prompts: Prompts,
        keep: Literal["subject", "place"],
        strengths: Annotated[list[Strength], MinLen(1)],
        scale: Scale | None,
        margin: Annotated[float, Ge(0), Le(0.5)],
    ) -> None:
        if keep == "place" and scale is not None:
            raise ValueError(f"scale={scale}: a subject is moved where it is what stays. Give null with keep=place.")
        self.prompts = prompts
        self.keep = keep
        self.strengths = strengths
        self.scale = scale
        self.margin = margin

    @property
    def uses_photos(self) -> bool:
        return True

    @property
    def uses_masks(self) -> bool:
        return True

    def beginning(self, asked: Asked) -> Beginning:
        return Beginning(*self._kept(asked))

    def finished(self, asked: Asked, drawn: Image.Image | None) -> Image.Image:
        assert drawn is not None
        if self.scale is not None:
            return self._moved(asked, drawn)[0]
        picture, kept = self._kept(asked)
        return Image.composite(picture, drawn, kept)

    def mask(self, asked: Asked) -> tuple[Image.Image, Quality]:
        """Exactly what was kept of the subject; of one that was drawn anew, the part where it was to be."""
        _, kept = self._kept(asked)
        return (kept, "construction") if self.keep == "subject" else (ImageChops.invert(kept), "estimated")

    def _kept(self, asked: Asked) -> tuple[Image.Image, Image.Image]:
        """What is drawn from, and where it stays."""
        photo, mask = self._seen(asked)
        if self.keep == "place":
            return photo, ImageChops.invert(_grown(mask, round(self.margin * min(photo.size))))
        if self.scale is None:
            return photo, mask
        grey = Image.new("RGB", photo.size, photo.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))
        return self._moved(asked, grey)

    def _moved(self, asked: Asked, place: Image.Image) -> tuple[Image.Image, Image.Image]:
        assert self.scale is not None
        cut = cut_out(*self._seen(asked))
        return placed(cut, place, self.scale, *asked.named("repaint"), soft=0.0, flip=False)

    def _seen(self, asked: Asked) -> tuple[Image.Image, Image.Image]:
        """The photo and its mask."""
        assert asked.photo is not None
        mask = asked.seen.mask(asked.photo)
        assert mask is not None
        return asked.seen.photo(asked.photo), mask


def _grown(mask: Image.Image, pixels: int) -> Image.Image:
    return mask.filter(ImageFilter.MaxFilter(2 * pixels + 1))
