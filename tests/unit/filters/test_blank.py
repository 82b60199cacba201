"""Pictures that show nothing."""

import numpy as np
import pytest
from candidates import candidate, context, verdicts
from PIL import Image

from imprint.filters.blank import Blank
from imprint.miniature.references import references


@pytest.mark.parametrize(("spread", "kept"), [(4.0, True), (200.0, False), (0.0, True)])
def test_a_photo_is_not_blank(spread: float, kept: bool) -> None:
    picture = candidate("photo", picture=references("dog6")[0])
    assert [passed for _, passed in verdicts(Blank(spread=spread), [picture], context([]))] == [kept]


def test_one_colour_is_blank_and_so_is_nearly_one() -> None:
    grain = np.random.default_rng(0).integers(100, 103, (16, 16, 3), dtype=np.uint8)
    pictures = [
        candidate("black", picture=Image.new("RGB", (8, 8))),
        candidate("grain", picture=Image.fromarray(grain)),
    ]
    assert [kept for _, kept in verdicts(Blank(spread=4.0), pictures, context([]))] == [False, False]
    assert [kept for _, kept in verdicts(Blank(spread=0.0), pictures, context([]))] == [False, True]
