"""provenance=mark: metadata that says a picture was made by a trained model."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from imprint.files import write_atomically
from imprint.kinds import of_kind
from imprint.pictures.files import png_bytes
from imprint.provenance.base import MadeBy, Provenance
from imprint.provenance.xmp import statement


@of_kind("provenance/mark")
class Mark(Provenance):
    """The IPTC's digital source type, the program and its version, and hashes of the weights, as XMP.

    Anybody can remove or write such a mark: it tells those who look for it, and proves nothing.
    """

    says = "have metadata (XMP, IPTC's digital source type) which says that a trained model made them"

    def save(self, picture: Image.Image, file: Path, made_by: MadeBy, *, parts: Sequence[Path] = ()) -> None:
        content = png_bytes(picture, xmp=statement(made_by))
        write_atomically(file, lambda temporary: temporary.write_bytes(content))
