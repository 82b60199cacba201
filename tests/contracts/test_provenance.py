"""Every choice of conf/provenance: what it may do to a picture that leaves the program, and what not."""

from pathlib import Path

import numpy as np
import pytest
from authority import Issued, issue
from composed import compose
from PIL import Image

from imprint.config import conf_folder, resolved
from imprint.construct import Constructor
from imprint.pictures.files import open_picture
from imprint.pictures.store import PictureStore, Recipe
from imprint.provenance.base import MadeBy, Provenance
from imprint.types import Sampler

CHOICES = sorted(file.stem for file in (conf_folder() / "provenance").glob("*.yaml"))
MADE_BY = MadeBy(("ab" * 32,), ("cd" * 32,))

pytest.importorskip("c2pa", reason="the extra credentials is not installed")


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=CHOICES)
def provenance(request: pytest.FixtureRequest, issued: Issued) -> Provenance:
    return built(request.param, issued)


def built(choice: str, issued: Issued) -> Provenance:
    given = issued.settings[1:] if choice == "signed" else []
    node = resolved(compose("generate", ["run=x", f"provenance={choice}", *given]))["provenance"]
    constructor = Constructor()
    made = constructor.build(node, "provenance")
    assert not constructor.problems
    assert isinstance(made, Provenance)
    return made


def picture(seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 24, 3), dtype=np.uint8))


def test_there_is_nothing_in_its_way_here(provenance: Provenance) -> None:
    assert list(provenance.problems()) == []
    assert provenance.says


def test_pixels_stay_and_no_file_is_named(provenance: Provenance, issued: Issued, tmp_path: Path) -> None:
    file = tmp_path / "a prompt of mine.png"
    part = tmp_path / "a part of it.png"
    picture(1).save(part)
    provenance.save(picture(), file, MADE_BY, parts=[part])
    assert np.array_equal(np.asarray(open_picture(file)), np.asarray(picture()))
    for name in (tmp_path.name, "prompt", "a part", issued.key.name, issued.certificate.name):
        assert name.encode() not in file.read_bytes()


@pytest.mark.parametrize("other", CHOICES)
def test_a_store_verifies_what_it_wrote_and_writes_anew_what_another_wrote(
    provenance: Provenance, other: str, issued: Issued, tmp_path: Path
) -> None:
    recipe = Recipe("a.png", "a dog", 0, Sampler("model", 2, 1.0, ""), (16, 24), {})

    def store(choice: Provenance) -> PictureStore:
        return PictureStore(tmp_path, [recipe], {}, writer=choice.writer(lambda: MADE_BY))

    store(provenance).add([(recipe, picture())])
    first = (tmp_path / "a.png").read_bytes()
    [outcome] = store(provenance).outcomes()
    assert outcome.state == "ok"
    store(provenance).rewrite()
    assert (tmp_path / "a.png").read_bytes() == first, "it is as it should be"

    another = built(other, issued)
    assert not store(another).missing()
    store(another).rewrite()
    assert not store(another).missing()
    assert ((tmp_path / "a.png").read_bytes() == first) == (type(another) is type(provenance))
    assert np.array_equal(np.asarray(open_picture(tmp_path / "a.png")), np.asarray(picture()))
