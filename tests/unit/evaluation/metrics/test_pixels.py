"""PSNR and SSIM of enlarged photos: against the formula and the library, in the whole and in the mask."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_evidence import FakeFeatures, evidence, shot
from PIL import Image
from torchmetrics.functional.image import structural_similarity_index_measure

from imprint.errors import UserError
from imprint.evaluation.metrics.pixels import MOST, MaskedPsnr, MaskedSsim, OthersPsnr, Psnr, Ssim
from imprint.evaluation.records import Evidence, Photo, Shot

SIDE = 32
LEFT = Image.new("L", (SIDE, SIDE))
LEFT.paste(255, (0, 0, SIDE // 2, SIDE))


def noise(seed: int, spread: int = 40) -> Image.Image:
    levels = np.random.default_rng(seed).integers(100, 100 + spread, (SIDE, SIDE, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def photo(content: str, picture: Image.Image, *, trained_on: bool = True, mask: Image.Image | None = None) -> Photo:
    return Photo(content, content, trained_on, lambda: picture, lambda: mask)


def drawn(folder: Path, picture: Image.Image, k: int) -> Shot:
    file = folder / f"{k}.png"
    picture.save(file)
    return shot(f"drawn {k}", 0, k)._replace(file=file)


def given(shots: list[Shot], photos: list[Photo]) -> Evidence:
    return evidence(FakeFeatures({}), shots={"subject": shots}, photos=photos)


class TestPsnr:
    def test_it_is_that_of_the_formula(self, tmp_path: Path) -> None:
        truth, shown = noise(0), noise(1)
        error = np.asarray(truth, dtype=float) - np.asarray(shown, dtype=float)
        [value] = Psnr(set="subject").measure(given([drawn(tmp_path, shown, 0)], [photo("a", truth)]))
        assert value.value == pytest.approx(10 * math.log10(255**2 / (error**2).mean()), rel=1e-5)

    def test_in_the_mask_the_rest_does_not_count(self, tmp_path: Path) -> None:
        truth, shown = noise(0), noise(1)
        shown.paste(truth.crop((0, 0, SIDE // 2, SIDE)), (0, 0))
        shots, photos = [drawn(tmp_path, shown, 0)], [photo("a", truth, mask=LEFT)]
        [inside] = MaskedPsnr(set="subject").measure(given(shots, photos))
        [whole] = Psnr(set="subject").measure(given(shots, photos))
        assert inside.value == MOST
        assert whole.value < 40

    def test_each_picture_is_compared_with_its_own_photo_and_held_out_ones_come_first(self, tmp_path: Path) -> None:
        pictures = [noise(number) for number in range(3)]
        photos = [
            photo("a", pictures[0]),
            *(photo(name, one, trained_on=False) for name, one in zip("bc", pictures[1:], strict=True)),
        ]
        shots = [drawn(tmp_path, pictures[1 + k % 2], k) for k in range(3)]
        assert [value.value for value in Psnr(set="subject").measure(given(shots, photos))] == [MOST] * 3

    def test_other_things_are_compared_with_their_own_pictures(self, tmp_path: Path) -> None:
        truth, other, shown = noise(0), noise(1), drawn(tmp_path, noise(1), 0)
        asked = shown._replace(request=shown.request._replace(set="others"))
        given = evidence(FakeFeatures({}), shots={"others": [asked]}, photos=[photo("a", truth)])
        metric = OthersPsnr(set="others")
        with pytest.raises(UserError, match=r"there are no other pictures\. Give evaluation\.others=FOLDER"):
            metric.measure(given)
        [value] = metric.measure(replace(given, others=[photo("b", other)]))
        assert (value.set, value.value) == ("others", MOST)

    def test_without_any_mask_it_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="none of its photos has a mask"):
            MaskedPsnr(set="subject").measure(given([drawn(tmp_path, noise(0), 0)], [photo("a", noise(0))]))


class TestSsim:
    def test_it_is_that_of_the_library(self, tmp_path: Path) -> None:
        truth, shown = noise(0, 100), noise(1, 100)
        [value] = Ssim(set="subject").measure(given([drawn(tmp_path, shown, 0)], [photo("a", truth)]))
        a, b = (
            torch.from_numpy(np.asarray(one, dtype=np.float32) / 255).permute(2, 0, 1)[None] for one in (shown, truth)
        )
        _, places = structural_similarity_index_measure(a, b, data_range=1.0, return_full_image=True)
        assert value.value == pytest.approx(float(places.mean()), rel=1e-5)

    def test_in_the_mask_the_rest_does_not_count(self, tmp_path: Path) -> None:
        truth, shown = noise(0, 100), noise(1, 100)
        shown.paste(truth.crop((0, 0, 3 * SIDE // 4, SIDE)), (0, 0))
        shots, photos = [drawn(tmp_path, shown, 0)], [photo("a", truth, mask=LEFT)]
        [inside], [whole] = (metric(set="subject").measure(given(shots, photos)) for metric in (MaskedSsim, Ssim))
        assert inside.value > 0.95 > whole.value
