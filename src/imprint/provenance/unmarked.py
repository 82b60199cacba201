"""provenance=none: pictures are pixels alone."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from imprint.kinds import of_kind
from imprint.pictures.files import save_png
from imprint.provenance.base import MadeBy, Provenance


@of_kind("provenance/none")
class Unmarked(Provenance):
    """Pictures say nothing."""

    says = "have no mark"

    def save(self, picture: Image.Image, file: Path, made_by: MadeBy, *, parts: Sequence[Path] = ()) -> None:
        save_png(picture, file)
