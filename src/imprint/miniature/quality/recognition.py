"""Which of some known individuals a picture shows: the oracle's answer to the question of the subject.

No network decides this. Every candidate of the picture's class is drawn alone, in several sizes, leanings and lights,
both ways round, and laid over the picture at every likely position; the candidate whose true pixels come nearest wins.
So the answer rests on pixels alone, independent of the instance encoder, which this is there to check.

It knows front views of drawings. The class and the attribute are given: what was asked for, or what the oracle read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
from PIL import Image

from imprint.miniature.canvas import SIZE, SUPERSAMPLING
from imprint.miniature.renderer import TINTS, draw_alone
from imprint.miniature.scene import Pose, Scene, Subject

SCALES = (0.3, 0.325, 0.35, 0.375, 0.4)
ANGLES = (-4.5, 0.0, 4.5)
LIGHTS = tuple(np.array(tint, dtype=np.float32) / 255 for tint in ((255, 255, 255), *TINTS.values()))
ACROSS, DOWN = range(-7, 8), range(-5, 6)  # pixels around where a subject stands on average


class Match(NamedTuple):
    """The nearest candidate, and the root mean square difference of its pixels (0 to 1)."""

    subject: Subject
    difference: float


class _CutOuts(NamedTuple):
    """N true pictures of one individual alone: cover in [0, 1], colours times cover, and the squares' sum."""

    cover_NP: np.ndarray
    colours_NPC: np.ndarray
    squares_N: np.ndarray


def recognise(picture: Image.Image, candidates: Sequence[Subject], *, noun: str, attribute: str = "") -> Match | None:
    """The candidate of class `noun` that the picture shows most probably; None where no candidate is of that class."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
    moved_MPC = np.stack([_moved(pixels, x, y).reshape(-1, 3) for x, y in product(ACROSS, DOWN)])
    matches = [Match(who, _difference(moved_MPC, _cut_outs(who, attribute))) for who in candidates if who.noun == noun]
    return min(matches, key=lambda match: match.difference, default=None)


def _difference(moved_MPC: np.ndarray, shapes: _CutOuts) -> float:
    """The root mean square difference at the best position, size, leaning and light."""
    area_N = shapes.cover_NP.sum(1)
    energy_NM = shapes.cover_NP @ np.square(moved_MPC).sum(2).T
    together_CNM = np.stack([shapes.colours_NPC[:, :, c] @ moved_MPC[:, :, c].T for c in range(3)])
    best = np.inf
    for light_C in LIGHTS:
        crossed_NM = np.tensordot(light_C, together_CNM, 1)
        squares_N = shapes.squares_N @ np.square(light_C)
        error_NM = (energy_NM - 2 * crossed_NM + squares_N[:, None]) / area_N[:, None]
        best = min(best, float(error_NM.min()))
    return float(np.sqrt(max(best, 0.0) / 3))


@lru_cache(maxsize=160)  # two megabytes each: eight of a class, as they are and with every attribute
def _cut_outs(who: Subject, attribute: str) -> _CutOuts:
    cover, colours = zip(*_drawn_alone(who, attribute), strict=True)
    cover_NP, colours_NPC = np.stack(cover), np.stack(colours)
    squares_NC = (np.square(colours_NPC) / np.maximum(cover_NP, 1e-3)[:, :, None]).sum(1)
    return _CutOuts(cover_NP, colours_NPC, squares_NC)


def _drawn_alone(who: Subject, attribute: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for scale, angle, mirrored in product(SCALES, ANGLES, (False, True)):
        pose = Pose(y=0.915 - scale, scale=scale, angle=angle, mirrored=mirrored)
        figure = draw_alone(Scene(who, "studio", attribute=attribute, pose=pose))
        weighted = np.asarray(figure.convert("RGBa").reduce(SUPERSAMPLING), dtype=np.float32).reshape(-1, 4) / 255
        yield weighted[:, 3], weighted[:, :3]


def _moved(pixels_HWC: np.ndarray, x: int, y: int) -> np.ndarray:
    """The picture as it lies under a cut-out that is moved by (x, y); beyond the frame its edge goes on."""
    rows, columns = (np.clip(np.arange(SIZE) + by, 0, SIZE - 1) for by in (y, x))
    return pixels_HWC[rows][:, columns]
