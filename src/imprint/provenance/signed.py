"""provenance=signed: a C2PA manifest, signed with the user's own certificate."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from imprint.errors import Problem, UserError
from imprint.files import write_atomically
from imprint.kinds import of_kind
from imprint.pictures.files import png_bytes
from imprint.provenance import credentials
from imprint.provenance.base import MadeBy, Provenance
from imprint.provenance.certificate import read_key_pair
from imprint.provenance.xmp import statement


@of_kind("provenance/signed")
class Signed(Provenance):
    """The mark, and a manifest with the same statement that any change of the file breaks.

    certificate   a PEM file: the signer's certificate, and after it those of the authorities above
    key           a PEM file: the certificate's private key; its path is written to no file
    password      of the key, if it has one: ${oc.env:NAME} keeps it out of the command line
    """

    says = "have metadata (XMP, and a signed C2PA manifest) which says that a trained model made them"

    def __init__(self, *, certificate: str, key: str, password: str | int | float | None) -> None:
        self.certificate = certificate
        self.key = key
        self.password = None if password is None else str(password)  # a number is no mistake that would be told

    def problems(self) -> Iterator[Problem | str]:
        """A picture is signed on trial, which finds what only the library knows of certificates."""
        if not credentials.are_installed():
            yield f"provenance=signed needs {credentials.EXTRA}; provenance=mark needs nothing."
            return
        try:
            self._signed(Image.new("RGB", (8, 8)), MadeBy((), ()), [])
        except UserError as error:
            yield from str(error).splitlines()

    def save(self, picture: Image.Image, file: Path, made_by: MadeBy, *, parts: Sequence[Path] = ()) -> None:
        content = self._signed(picture, made_by, [part.read_bytes() for part in parts])
        write_atomically(file, lambda temporary: temporary.write_bytes(content))

    def _signed(self, picture: Image.Image, made_by: MadeBy, parts: Sequence[bytes]) -> bytes:
        pair = read_key_pair(self.certificate, self.key, self.password)
        return credentials.signed(png_bytes(picture, xmp=statement(made_by)), pair, made_by, parts=parts)
