"""Whether two pictures are the same one: saved again, scaled, mirrored, or cut out of one another."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

# Copies are recognised by small versions: a copy that was saved again, or scaled, has other bytes. Two photos of one
# thing in one place differ by far more than saving does.
SMALL = (32, 32)
SAME_LEVELS = 2.0  # of 255, on average

# The likeness from which on one picture is a part of another. Ours: docs/data_sets.md says how often it is right.
CROP = 0.9


class Look(NamedTuple):
    side: int  # pixels of the whole
    step: int  # by which the part's sides differ


# Crops are looked for at two sizes: a first look at all pairs, and a second at those that may be one.
FIRST, SECOND = Look(32, 2), Look(48, 1)
SMALLEST_CROP = 0.5  # of a side
MAYBE = 0.15  # below the threshold: the first look comes out lower by no more, where the crop lies between its pixels
FLAT = 2.0  # levels of spread: what is flatter is like every flat place of any picture
# Two pictures of one thing in one plain place correlate, too. Of a copy every piece is alike that shows anything, but
# for one, which may lie at an edge.
PIECES = 4  # a side
FINE = 64  # pixels of a side, when pieces are compared
LEEWAY = 2  # pixels by which a piece may lie elsewhere
TEXTURED = 4.0  # levels of spread, from which on a piece shows something
ALIKE = 0.8  # the correlation of two pieces
CHUNK = 64  # pictures that are compared at a time: of few, those that may be a crop are few, too


def small(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image.resize(SMALL, Image.Resampling.BOX), dtype=np.float32)


def same(some: NDArray[np.float32], others: NDArray[np.float32]) -> bool:
    """Of two small versions."""
    return float(np.abs(some - others).mean()) < SAME_LEVELS


def nearest_same(pictures: Iterable[Image.Image], others: Iterable[Image.Image]) -> list[list[int]]:
    """Of each picture the numbers of those in `others` that show the same, mirrored or not."""
    versions = [small(other).ravel() for other in others]
    if not versions:
        return [[] for _ in pictures]
    versions_MD = torch.from_numpy(np.stack(versions))
    found = []
    for picture in pictures:
        seen = [torch.from_numpy(small(each).ravel()) for each in (picture, ImageOps.mirror(picture))]
        levels_M = torch.stack([(versions_MD - version_D).abs().mean(dim=1) for version_D in seen]).amin(dim=0)
        found.append((levels_M < SAME_LEVELS).nonzero().flatten().tolist())
    return found


class Pixels:
    """Pictures, as small as crops are looked for."""

    def __init__(self, pictures: Iterable[Image.Image]) -> None:
        self._kept = [_reduced(picture.convert("RGB")) for picture in pictures]

    def __len__(self) -> int:
        return len(self._kept)

    def mirrored(self) -> "Pixels":
        return Pixels(ImageOps.mirror(picture) for picture in self._kept)

    def subset(self, numbers: Sequence[int]) -> "Pixels":
        return Pixels(self._kept[number] for number in numbers)

    def picture(self, number: int) -> Image.Image:
        return self._kept[number]

    def at(self, side: int, numbers: Sequence[int]) -> Tensor:
        """(N, 3, side, side), about a mean of 0: sums of large numbers would lose digits."""
        chosen = [self._kept[number].resize((side, side), Image.Resampling.BOX) for number in numbers]
        levels_NHW3 = np.stack([np.asarray(picture, dtype=np.float32) for picture in chosen])
        levels_N3HW = torch.from_numpy(levels_NHW3).movedim(3, 1)
        return levels_N3HW - levels_N3HW.double().mean(dim=(1, 2, 3), keepdim=True).float()


def _reduced(picture: Image.Image) -> Image.Image:
    """At most twice as large as it is looked at, from which any smaller size is made without much loss."""
    most = 2 * SECOND.side
    return picture.resize((min(picture.width, most), min(picture.height, most)), Image.Resampling.BOX)


def crop_likeness(wholes: Pixels, parts: Pixels, *, threshold: float) -> Tensor:
    """(wholes, parts): how like a picture is to the most similar part of another, of at least SMALLEST_CROP of each
    side and of its shape: the correlation of their levels, 1 for a crop. Exact where it is near the threshold or
    above."""
    found_MN = torch.zeros(len(wholes), len(parts))
    for some in _chunks(len(wholes)):
        for others in _chunks(len(parts)):
            likeness_MN = _best(wholes, parts, some, others, FIRST)
            maybe_MN = likeness_MN >= threshold - MAYBE
            rows, columns = maybe_MN.any(dim=1).nonzero()[:, 0], maybe_MN.any(dim=0).nonzero()[:, 0]
            if len(rows):
                again = ([some[row] for row in rows.tolist()], [others[column] for column in columns.tolist()])
                closer_MN = torch.maximum(likeness_MN[rows][:, columns], _best(wholes, parts, *again, SECOND))
                likeness_MN[rows[:, None], columns] = closer_MN
            found_MN[some[0] : some[-1] + 1, others] = likeness_MN
    return found_MN


def _chunks(count: int) -> Iterator[list[int]]:
    for first in range(0, count, CHUNK):
        yield list(range(first, min(first + CHUNK, count)))


def either_way(pictures: Pixels, others: Pixels, *, threshold: float) -> Tensor:
    """(pictures, others): the same, whichever of the two is cut out of the other, mirrored or not."""
    looks = []
    for seen in (pictures, pictures.mirrored()):
        looks.append(crop_likeness(others, seen, threshold=threshold).T)
        looks.append(crop_likeness(seen, others, threshold=threshold))
    return torch.stack(looks).amax(dim=0)


def is_copy(pictures: Pixels, others: Pixels, number: int, other: int) -> bool:
    """Of two that correlate: whether they do so piece by piece, where the one fits best into the other."""
    looks = []
    for seen in (pictures.subset([number]), pictures.subset([number]).mirrored()):
        looks += [(others.subset([other]), seen), (seen, others.subset([other]))]
    fits = [(*_fit(whole, part), whole, part) for whole, part in looks]
    _, box, whole, part = max(fits, key=lambda fit: fit[0])
    alike = _pieces_alike(whole.picture(0), part.picture(0), box)
    return len(alike) < 2 or float(alike.sort().values[1]) >= ALIKE


def _fit(whole: Pixels, part: Pixels) -> tuple[float, tuple[float, float, float, float]]:
    """The highest correlation of two pictures, and where in the first that is: left, top, right, bottom, as shares of
    its sides."""
    levels_13HW = whole.at(SECOND.side, [0])
    found = []
    for side in range(SECOND.side, round(SMALLEST_CROP * SECOND.side) - 1, -SECOND.step):
        places_hw = _correlations(levels_13HW, part.at(side, [0]))[0, 0]
        top, left = divmod(int(places_hw.argmax()), places_hw.shape[1])
        box = (left, top, left + side, top + side)
        found.append((float(places_hw.max()), tuple(edge / SECOND.side for edge in box)))
    best: tuple[float, Any] = max(found)
    return best


def _pieces_alike(whole: Image.Image, part: Image.Image, box: tuple[float, float, float, float]) -> Tensor:
    """Of each piece of `part` that shows anything: its correlation with what lies there, or nearby, in `whole`."""
    margin_x, margin_y = whole.width // 8, whole.height // 8
    levels = np.pad(np.asarray(whole), ((margin_y, margin_y), (margin_x, margin_x), (0, 0)), mode="edge")
    leeway_x, leeway_y = ((box[2 + axis] - box[axis]) * LEEWAY / FINE for axis in (0, 1))
    left, right = (edge * whole.width + margin_x for edge in (box[0] - leeway_x, box[2] + leeway_x))
    top, bottom = (edge * whole.height + margin_y for edge in (box[1] - leeway_y, box[3] + leeway_y))
    size = FINE + 2 * LEEWAY
    around = Image.fromarray(levels).resize((size, size), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    pieces_ND = _pieces(_smooth(part.resize((FINE, FINE), Image.Resampling.BILINEAR)))
    around_3HW, found = _smooth(around), []
    for down in range(2 * LEEWAY + 1):
        for along in range(2 * LEEWAY + 1):
            others_ND = _pieces(around_3HW[:, down : down + FINE, along : along + FINE])
            norms_N = pieces_ND.norm(dim=1) * others_ND.norm(dim=1)
            found.append((pieces_ND * others_ND).sum(dim=1) / norms_N.clamp(min=1e-6))
            if down == along == LEEWAY:
                spreads_N = torch.maximum(pieces_ND.norm(dim=1), others_ND.norm(dim=1)) / pieces_ND.shape[1] ** 0.5
    return torch.stack(found).amax(dim=0)[spreads_N >= TEXTURED]


def _smooth(picture: Image.Image) -> Tensor:
    """(3, H, W), without what saving adds to single pixels."""
    levels_3HW = torch.from_numpy(np.asarray(picture, dtype=np.float32)).movedim(2, 0)
    return functional.avg_pool2d(functional.pad(levels_3HW[None], (1, 1, 1, 1), mode="replicate"), 3, stride=1)[0]


def _pieces(levels_3HW: Tensor) -> Tensor:
    """(pieces, numbers of each), about a mean of 0 in each channel."""
    side = FINE // PIECES
    cut_3RCss = levels_3HW.unfold(1, side, side).unfold(2, side, side)
    pieces_N3S = cut_3RCss.permute(1, 2, 0, 3, 4).reshape(PIECES**2, 3, -1)
    return (pieces_N3S - pieces_N3S.mean(dim=2, keepdim=True)).flatten(1)


def _best(wholes: Pixels, parts: Pixels, some: Sequence[int], others: Sequence[int], look: Look) -> Tensor:
    wholes_M3HW = wholes.at(look.side, some)
    sides = range(look.side, round(SMALLEST_CROP * look.side) - 1, -look.step)
    return torch.stack([_correlation(wholes_M3HW, parts.at(side, others)) for side in sides]).amax(dim=0)


def _correlation(wholes_M3HW: Tensor, parts_N3hw: Tensor) -> Tensor:
    """(M, N): the highest over all places."""
    return _correlations(wholes_M3HW, parts_N3hw).flatten(2).amax(dim=2)


def _correlations(wholes_M3HW: Tensor, parts_N3hw: Tensor) -> Tensor:
    """(M, N, h, w): by place. The parts' means are 0."""
    count = parts_N3hw[0].numel()
    spread_N = parts_N3hw.flatten(1).norm(dim=1)
    dots_MNhw = functional.conv2d(wholes_M3HW, parts_N3hw)
    sums_M1hw, squares_M1hw = (
        functional.avg_pool2d(levels_M3HW.sum(dim=1, keepdim=True), parts_N3hw.shape[2:], stride=1, divisor_override=1)
        for levels_M3HW in (wholes_M3HW, wholes_M3HW**2)
    )
    floor = count**0.5 * FLAT
    places_M1hw = (squares_M1hw - sums_M1hw**2 / count).clamp(min=floor**2).sqrt()
    cosines_MNhw: Tensor = dots_MNhw / (places_M1hw * spread_N.clamp(min=floor)[:, None, None])
    return cosines_MNhw
