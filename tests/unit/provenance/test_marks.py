"""What a picture's metadata says: written by this program, or by others."""

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imprint import __version__
from imprint.pictures.files import png_bytes
from imprint.provenance.base import MadeBy, result_hash, source_type
from imprint.provenance.mark import Mark
from imprint.provenance.marks import read_marks
from imprint.provenance.xmp import properties, statement

MADE_BY = MadeBy(("ab" * 32,), ("cd" * 32, "ef" * 32))
VOCABULARY = "http://ns.useplus.org/ldf/vocab/"
SOURCES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
NAMES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
)


def packet(inside: str = "", attributes: str = "") -> str:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {NAMES}><rdf:Description rdf:about="" {attributes}>{inside}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def photo(format: str, xmp: str) -> bytes:
    picture, out = Image.new("RGB", (16, 16), (200, 30, 30)), io.BytesIO()
    if format == "PNG":
        return png_bytes(picture, xmp=xmp)
    more = {"tiffinfo": {700: xmp.encode()}} if format == "TIFF" else {"xmp": xmp.encode()}
    picture.save(out, format, **more)
    return out.getvalue()


def test_a_mark_says_what_made_the_picture_and_changes_no_pixel(tmp_path: Path) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (9, 7, 3), dtype=np.uint8))
    Mark().save(picture, tmp_path / "a.png", MADE_BY)
    content = (tmp_path / "a.png").read_bytes()
    marks = read_marks(content)
    assert marks.source_types == ("trainedAlgorithmicMedia",)
    assert marks.software == (f"imprint {__version__}",)
    assert (marks.bases, marks.results) == MADE_BY[:2]
    assert marks.credentials is None
    with Image.open(io.BytesIO(content)) as saved:
        assert np.array_equal(np.asarray(saved), np.asarray(picture))
        assert set(saved.info) <= {"xmp", "XML:com.adobe.xmp"}
    Mark().save(picture, tmp_path / "b.png", MADE_BY)
    assert (tmp_path / "b.png").read_bytes() == content


@pytest.mark.parametrize(
    ("format", "inside", "attributes"),
    [
        ("JPEG", "", f'plus:DataMining="{VOCABULARY}DMI-PROHIBITED-AIMLTRAINING"'),
        ("WEBP", f"<plus:DataMining>{VOCABULARY}DMI-PROHIBITED-AIMLTRAINING</plus:DataMining>", ""),
        ("TIFF", f'<plus:DataMining rdf:resource="{VOCABULARY}DMI-PROHIBITED-AIMLTRAINING"/>', ""),
        ("PNG", "", 'plus:DataMining="DMI-PROHIBITED-AIMLTRAINING"'),
    ],
    ids=["attribute", "element", "resource", "term"],
)
def test_an_opt_out_is_read_in_every_form(format: str, inside: str, attributes: str) -> None:
    assert read_marks(photo(format, packet(inside, attributes))).reservations == ["DMI-PROHIBITED-AIMLTRAINING"]


@pytest.mark.parametrize("term", ["DMI-ALLOWED", "DMI-UNSPECIFIED"])
def test_what_forbids_nothing_is_no_opt_out(term: str) -> None:
    marks = read_marks(photo("JPEG", packet(attributes=f'plus:DataMining="{VOCABULARY}{term}"')))
    assert (marks.mining, marks.reservations) == ((term,), [])


@pytest.mark.parametrize(
    ("term", "is_synthetic"),
    [("trainedAlgorithmicMedia", True), ("compositeWithTrainedAlgorithmicMedia", True), ("digitalCapture", False)],
)
def test_which_sources_are_synthetic(term: str, is_synthetic: bool) -> None:
    content = photo("WEBP", packet(f"<Iptc4xmpExt:DigitalSourceType>{SOURCES}{term}</Iptc4xmpExt:DigitalSourceType>"))
    assert (read_marks(content).synthetic == [term]) is is_synthetic


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "no xml",
        "<x:xmpmeta",
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        "<a>" * 3000,
        packet() + packet(),
    ],
    ids=["empty", "text", "cut off", "entities", "deep", "two"],
)
def test_a_damaged_packet_says_nothing(damaged: str) -> None:
    assert properties(damaged) == {}
    assert read_marks(photo("PNG", damaged)).source_types == ()


def test_what_is_no_picture_says_nothing() -> None:
    assert read_marks(b"c2pa, but no picture").source_types == ()


def test_a_statement_has_hashes_and_nothing_private() -> None:
    said = properties(statement(MADE_BY))
    assert len(said) == 5  # with rdf:about
    assert not [value for values in said.values() for value in values if "/" in value and not value.startswith("http")]


@pytest.mark.parametrize(
    ("photo", "model", "term", "is_synthetic"),
    [
        (False, True, "trainedAlgorithmicMedia", True),
        (True, True, "compositeWithTrainedAlgorithmicMedia", True),
        (True, False, "compositeCapture", False),  # cut-outs of photos on photos
    ],
)
def test_parts_of_photos_are_told(photo: bool, model: bool, term: str, is_synthetic: bool, tmp_path: Path) -> None:
    made_by = MADE_BY._replace(parents=("12" * 32,), source_type=source_type(photo=photo, model=model))
    Mark().save(Image.new("RGB", (8, 8)), tmp_path / "a.png", made_by)
    marks = read_marks((tmp_path / "a.png").read_bytes())
    assert marks.source_types == (term,)
    assert bool(marks.synthetic) == is_synthetic
    assert marks.parents == ("12" * 32,)


def test_a_result_of_one_file_has_the_files_own_hash(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "README.md").write_text("a card that may change")
    (tmp_path / "lora.safetensors").write_bytes(b"weights")
    one = result_hash(tmp_path)
    assert one == hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "README.md").write_text("another")
    assert result_hash(tmp_path) == one
    (tmp_path / "word.safetensors").write_bytes(b"more")
    assert result_hash(tmp_path) != one
