"""How much of a picture its subject covers."""

from pathlib import Path

import pytest
from candidates import candidate, context
from PIL import Image, ImageDraw

from imprint.errors import PictureError
from imprint.filters.size import Size
from imprint.miniature.references import scenes
from imprint.miniature.renderer import draw_alone

SIZE = Size(least=0.05, most=0.95)


def masked(file: Path, side: int) -> Path:
    mask = Image.new("L", (20, 20))
    if side:
        ImageDraw.Draw(mask).rectangle((0, 0, side - 1, side - 1), fill=255)
    mask.save(file)
    return file


@pytest.mark.parametrize(("side", "said"), [(0, "too small"), (4, "too small"), (5, ""), (19, ""), (20, "fills")])
def test_by_the_area_of_its_mask(tmp_path: Path, side: int, said: str) -> None:
    verdict = SIZE.judge([candidate("x", mask=masked(tmp_path / "m.png", side))], context([]), {})[0]
    assert verdict is not None
    assert verdict.value == pytest.approx(side**2 / 400)
    assert verdict.passed == (not said)
    assert said in verdict.reason


def test_true_masks_of_the_miniature_pass(tmp_path: Path) -> None:
    for number, scene in enumerate(scenes("dog6")):
        alone = draw_alone(scene)
        alone.getchannel("A").save(tmp_path / f"{number}.png")
        verdict = SIZE.judge([candidate("x", mask=tmp_path / f"{number}.png")], context([]), {})[0]
        assert verdict is not None
        assert verdict.passed


def test_without_a_mask_nothing_is_measured() -> None:
    assert SIZE.judge([candidate("x")], context([]), {}) == [None]


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"m\.png"):
        SIZE.judge([candidate("x", mask=tmp_path / "m.png")], context([]), {})


def test_bounds_must_be_in_order() -> None:
    with pytest.raises(ValueError, match=r"least=0\.9"):
        Size(least=0.9, most=0.5)
