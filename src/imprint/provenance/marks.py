"""What a picture's metadata says of its origin, and of what it may be used for."""

import io
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from PIL import Image

from imprint.pictures.files import readable_formats
from imprint.provenance import credentials, xmp

# What IPTC calls pictures that a program made, or parts of which one made.
SYNTHETIC = frozenset(
    {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic", "algorithmicMedia"}
)
FORBIDDEN = "DMI-PROHIBITED"  # how PLUS' terms begin that forbid mining, training or generative training


class Marks(NamedTuple):
    """`source_types` and `mining` are terms without their vocabularies' addresses."""

    source_types: tuple[str, ...]
    mining: tuple[str, ...]
    software: tuple[str, ...]
    bases: tuple[str, ...]
    results: tuple[str, ...]
    parents: tuple[str, ...]
    settings: tuple[str, ...]
    credentials: credentials.Credentials | None

    @property
    def synthetic(self) -> list[str]:
        """What calls the picture synthetic."""
        return [term for term in self.source_types if term in SYNTHETIC]

    @property
    def reservations(self) -> list[str]:
        """What forbids to train on the picture."""
        return [term for term in self.mining if term.startswith(FORBIDDEN) or term.endswith(credentials.NOT_ALLOWED)]


def read_marks(content: bytes, *, anchors: bytes = b"") -> Marks:
    """Of a picture's bytes, in any format; of those that cannot be read, nothing. `anchors` are certificates of
    authorities that a signature is trusted by."""
    said = xmp.properties(_packet(content))
    signed = credentials.read(content, anchors=anchors)
    types = [*said.get(f"{{{xmp.IPTC}}}DigitalSourceType", []), *(signed.source_types if signed else ())]
    mining = [*said.get(f"{{{xmp.PLUS}}}DataMining", []), *(signed.mining if signed else ())]
    return Marks(
        source_types=_terms(types),
        mining=_terms(mining),
        software=_once([*said.get(f"{{{xmp.XMP}}}CreatorTool", []), *([signed.software] if signed else ())]),
        bases=_once([*_words(said, "BaseModel"), *(signed.made_by.bases if signed else ())]),
        results=_once([*_words(said, "Result"), *(signed.made_by.results if signed else ())]),
        parents=_once([*_words(said, "Parent"), *(signed.made_by.parents if signed else ())]),
        settings=_once([*_words(said, "Settings"), *(signed.made_by.settings if signed else ())]),
        credentials=signed,
    )


def _packet(content: bytes) -> str | bytes:
    try:
        with Image.open(io.BytesIO(content), formats=readable_formats()) as opened:
            packet = opened.info.get("xmp", b"")
    except Exception:  # on damaged bytes, Pillow's readers raise nearly everything
        return b""
    return packet if isinstance(packet, str | bytes) else b""


def _terms(values: Iterable[str]) -> tuple[str, ...]:
    """The last part of each address, once."""
    return _once(value.rstrip("/").rpartition("/")[2] for value in values)


def _once(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, values)))


def _words(said: Mapping[str, list[str]], name: str) -> list[str]:
    """Of a property of imprint's own."""
    return " ".join(said.get(f"{{{xmp.OWN}}}{name}", [])).split()
