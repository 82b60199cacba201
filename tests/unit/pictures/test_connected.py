"""Parts of masks."""

import numpy as np
import pytest

from imprint.pictures.connected import filled, largest, parts


def mask(*rows: str) -> np.ndarray:
    return np.array([[letter == "#" for letter in row] for row in rows])


RING = mask("....#", ".###.", ".#.#.", ".###.", ".....")


def test_parts_touch_along_edges() -> None:
    assert parts(RING).max() == 2
    assert parts(mask("#.#", "#.#", "###")).max() == 1
    assert parts(mask("..", "..")).max() == 0


def test_the_largest_part_is_left() -> None:
    assert (largest(RING) == mask(".....", ".###.", ".#.#.", ".###.", ".....")).all()
    assert not largest(np.zeros((3, 4), dtype=bool)).any()


def test_holes_are_filled_and_bays_are_not() -> None:
    assert (filled(largest(RING)) == mask(".....", ".###.", ".###.", ".###.", ".....")).all()
    bay = mask("#.#", "#.#", "###")
    assert (filled(bay) == bay).all()
    assert filled(np.ones((2, 2), dtype=bool)).all()


@pytest.mark.parametrize("share", [0.3, 0.55, 0.7])
def test_parts_are_those_that_a_flood_finds(share: float) -> None:
    own = np.random.default_rng(0).random((20, 30)) < share
    found, left, count = parts(own), {(int(row), int(column)) for row, column in np.argwhere(own)}, 0
    while left:
        count += 1
        reached, waiting = set(), [left.pop()]
        while waiting:
            row, column = waiting.pop()
            reached.add((row, column))
            for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if near in left:
                    left.discard(near)
                    waiting.append(near)
        assert len({found[place] for place in reached}) == 1
    assert found.max() == count
