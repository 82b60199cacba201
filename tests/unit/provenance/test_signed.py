"""Signed statements: verified with an authority of the tests' own, and broken by a single byte."""

import builtins
import io
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from authority import Issued, issue, issue_alone
from PIL import Image

from imprint.pictures.files import png_bytes
from imprint.provenance import credentials
from imprint.provenance.base import MadeBy
from imprint.provenance.certificate import read_key_pair
from imprint.provenance.marks import read_marks
from imprint.provenance.signed import Signed
from imprint.provenance.xmp import SOURCE_TYPES

pytest.importorskip("c2pa", reason="the extra credentials is not installed")

MADE_BY = MadeBy(("ab" * 32,), ("cd" * 32,))


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("authority"))


def signing(issued: Issued, **others: Any) -> Signed:
    given = {"certificate": str(issued.certificate), "key": str(issued.key), "password": None, **others}
    return Signed(**given)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def signed(issued: Issued, picture: Image.Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("signed") / "a.png"
    signing(issued).save(picture, file, MADE_BY)
    return file


def test_it_is_verified_and_changes_no_pixel(signed: Path, issued: Issued, picture: Image.Image) -> None:
    content = signed.read_bytes()
    found = credentials.read(content, anchors=issued.authority.read_bytes())
    assert found is not None
    assert (found.state, found.problems, found.made_by) == ("Trusted", (), MADE_BY)
    assert "Signer of the tests" in found.signer
    assert found.source_types == (f"{SOURCE_TYPES}trainedAlgorithmicMedia",)
    assert read_marks(content).results == MADE_BY.results, "the plain mark is there, too"
    with Image.open(signed) as opened:
        assert np.array_equal(np.asarray(opened), np.asarray(picture))


def test_photos_that_it_has_parts_of_are_signed(issued: Issued, picture: Image.Image, tmp_path: Path) -> None:
    made_by = MADE_BY._replace(parents=("12" * 32,), source_type="compositeWithTrainedAlgorithmicMedia")
    signing(issued).save(picture, tmp_path / "a.png", made_by)
    found = credentials.read((tmp_path / "a.png").read_bytes(), anchors=issued.authority.read_bytes())
    assert found is not None
    assert (found.state, found.made_by.parents) == ("Trusted", ("12" * 32,))
    assert found.source_types == (f"{SOURCE_TYPES}compositeWithTrainedAlgorithmicMedia",)


def test_without_the_authority_it_is_valid_and_not_trusted(signed: Path) -> None:
    found = credentials.read(signed.read_bytes())
    assert found is not None
    assert (found.state, found.problems) == ("Valid", ("signingCredential.untrusted",))


def test_one_changed_byte_is_found(signed: Path) -> None:
    content = bytearray(signed.read_bytes())
    content[content.index(b"IDAT") + 40] ^= 1
    found = credentials.read(bytes(content))
    assert found is not None
    assert found.state == "Invalid"
    assert "assertion.dataHash.mismatch" in found.problems


def test_it_is_small_and_holds_nothing_private(signed: Path, issued: Issued, picture: Image.Image) -> None:
    plain = io.BytesIO()
    picture.save(plain, "PNG")
    content = signed.read_bytes()
    assert len(content) - len(plain.getvalue()) < 6000, "without thumbnails"
    for private in (issued.key.name, str(issued.key.parent), str(signed.parent), "BEGIN PRIVATE"):
        assert private.encode() not in content


def test_pictures_in_a_picture_are_its_ingredients(signed: Path, issued: Issued, tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(plain)
    sheet = tmp_path / "sheet.png"
    signing(issued).save(Image.new("RGB", (64, 32)), sheet, MADE_BY, parts=[signed, plain])
    import c2pa

    with c2pa.Reader("image/png", io.BytesIO(sheet.read_bytes())) as reader:
        store = json.loads(reader.json())
    active = store["manifests"][store["active_manifest"]]
    assert [each["relationship"] for each in active["ingredients"]] == ["componentOf"] * 2
    assert len(store["manifests"]) == 2, "that of the signed one is inside"
    found = credentials.read(sheet.read_bytes(), anchors=issued.authority.read_bytes())
    assert found is not None
    assert found.state == "Trusted"


def test_a_password_opens_the_key(tmp_path: Path) -> None:
    issued = issue(tmp_path, password="long-enough")
    assert list(signing(issued, password="long-enough").problems()) == []
    for wrong, expected in ((None, "it has a password"), ("something else", "the wrong password")):
        [problem] = signing(issued, password=wrong).problems()
        assert expected in str(problem)
        assert "something else" not in str(problem)


def test_all_that_is_wrong_is_told_without_the_keys_place(issued: Issued, tmp_path: Path) -> None:
    expired = issue(tmp_path / "expired", days=(-60, -1))
    other = issue(tmp_path / "other")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    cases = {
        "expired on": signing(expired),
        "is not valid before": signing(issue(tmp_path / "early", days=(5, 10))),
        "it is not the key of the first certificate": signing(issued, key=str(other.key)),
        "cannot be read": signing(issued, key=str(tmp_path / "nowhere.pem")),
        "no private key": signing(issued, key=str(text)),
        "no certificates in PEM form": signing(issued, certificate=str(text)),
        "it cannot sign pictures": _authority_signs_itself(tmp_path),
    }
    for expected, provenance in cases.items():
        told = "\n".join(map(str, provenance.problems()))
        assert expected in told
        assert str(tmp_path) not in told
    both = list(signing(expired, key=str(other.key)).problems())
    assert len(both) == 2


def _authority_signs_itself(folder: Path) -> Signed:
    """A key and a certificate that belong together, but are not for pictures."""
    alone = issue_alone(folder / "alone")
    return Signed(certificate=str(alone.certificate), key=str(alone.key), password=None)


def test_without_the_extra_it_says_what_to_install(
    issued: Issued, signed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = builtins.__import__

    def without(name: str, *arguments: Any, **more: Any) -> Any:
        if name == "c2pa":
            raise ImportError(name)
        return load(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    [problem] = signing(issued).problems()
    assert "imprint-diffusion[credentials]" in str(problem)
    found = credentials.read(signed.read_bytes())
    assert found is not None
    assert found.state == "unread"


def by_a_camera(issued: Issued, picture: Image.Image, assertion: dict[str, Any]) -> bytes:
    """A photograph with an assertion of somebody else's."""
    import c2pa

    pair = read_key_pair(str(issued.certificate), str(issued.key), None)
    manifest = {"claim_generator_info": [{"name": "a camera", "version": "1"}], "assertions": [assertion]}
    info = c2pa.C2paSignerInfo(alg=c2pa.C2paSigningAlg.ES256, sign_cert=pair.chain, private_key=pair.key, ta_url=None)
    out = io.BytesIO()
    with c2pa.Context.from_dict(dict(credentials.SETTINGS)) as context:
        builder = c2pa.Builder.from_json(json.dumps(manifest), context=context)
        builder.set_intent(c2pa.C2paBuilderIntent.CREATE, c2pa.C2paDigitalSourceType.DIGITAL_CAPTURE)
        builder.sign(c2pa.Signer.from_info(info), "image/png", io.BytesIO(png_bytes(picture)), out)
    return out.getvalue()


def test_what_a_manifest_forbids_is_read(issued: Issued, picture: Image.Image) -> None:
    entries = {"cawg.ai_generative_training": {"use": "notAllowed"}, "cawg.ai_inference": {"use": "notAllowed"}}
    marks = read_marks(by_a_camera(issued, picture, {"label": "cawg.training-mining", "data": {"entries": entries}}))
    assert marks.reservations == ["ai_generative_training: notAllowed"]
    assert marks.synthetic == []


@pytest.mark.parametrize("data", [{"entries": ["no mapping"]}, {"entries": {"cawg.ai_training": "no mapping"}}])
def test_assertions_of_another_form_are_invalid_and_no_accident(
    data: dict[str, Any], issued: Issued, picture: Image.Image
) -> None:
    found = credentials.read(by_a_camera(issued, picture, {"label": "cawg.training-mining", "data": data}))
    assert found is not None
    assert (found.state, found.mining) == ("Invalid", ())


def test_no_log_speaks_of_the_key(issued: Issued, picture: Image.Image, tmp_path: Path, caplog: Any) -> None:
    with caplog.at_level(logging.DEBUG):
        signing(issued).save(picture, tmp_path / "a.png", MADE_BY)
    assert issued.key.name not in caplog.text
