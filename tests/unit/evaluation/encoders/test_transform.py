"""The transform against Pillow and NumPy used by hand, and against the library's own."""

import numpy as np
import pytest
from PIL import Image
from tiny_encoders import transform
from transformers import CLIPImageProcessorPil

from imprint.errors import UserError
from imprint.evaluation.encoders.transform import Transform


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


@pytest.mark.parametrize(
    ("width", "height", "scaled"),
    [(50, 40, (25, 20)), (40, 61, (20, 30)), (33, 33, (20, 20)), (46, 40, (23, 20)), (43, 40, (21, 20))],
)
def test_the_shorter_side_is_resized_and_the_centre_cut_out(width: int, height: int, scaled: tuple[int, int]) -> None:
    seen = transform(resize=20, crop=16)([picture(width, height)])[0].permute(1, 2, 0).numpy()
    resized = np.asarray(picture(width, height).resize(scaled, Image.Resampling.BICUBIC))
    left, top = round((scaled[0] - 16) / 2), round((scaled[1] - 16) / 2)
    expected = (resized[top : top + 16, left : left + 16] / 255 - [0.5, 0.4, 0.3]) / [0.5, 0.6, 0.7]
    np.testing.assert_allclose(seen, expected, atol=1e-6)


def test_it_is_the_librarys_with_the_same_settings() -> None:
    stock = CLIPImageProcessorPil(
        size={"shortest_edge": 24}, crop_size={"height": 16, "width": 16}, image_mean=[0.5, 0.4, 0.3],
        image_std=[0.5, 0.6, 0.7], resample=3,
    )  # fmt: skip
    pictures = [picture(48, 60), picture(70, 31, seed=1)]
    expected = stock(pictures, return_tensors="np")["pixel_values"]
    np.testing.assert_allclose(transform(resize=24, crop=16)(pictures).numpy(), expected, atol=1e-5)


def test_a_picture_of_the_right_size_keeps_its_pixels() -> None:
    same = transform(mean=(0, 0, 0), std=(1, 1, 1))([picture(16, 16)])[0].permute(1, 2, 0).numpy() * 255
    np.testing.assert_allclose(same, np.asarray(picture(16, 16)), atol=1e-4)


@pytest.mark.parametrize("interpolation", ["nearest", "box", "bilinear", "hamming", "lanczos"])
def test_the_interpolation_is_the_one_asked_for(interpolation: str) -> None:
    seen = transform(interpolation=interpolation, mean=(0, 0, 0), std=(1, 1, 1))([picture(40, 40)])[0]
    expected = picture(40, 40).resize((16, 16), Image.Resampling[interpolation.upper()])
    np.testing.assert_allclose(seen.permute(1, 2, 0).numpy() * 255, np.asarray(expected), atol=1e-4)


def test_grey_and_transparent_pictures_are_seen_in_colour() -> None:
    assert transform()([picture(16, 16).convert("L"), picture(16, 16).convert("RGBA")]).shape == (2, 3, 16, 16)


def test_pictures_of_different_sizes_are_refused_where_nothing_makes_them_equal() -> None:
    as_they_are = transform(resize=None, crop=None)
    assert as_they_are([picture(20, 30)]).shape == (1, 3, 30, 20)
    with pytest.raises(UserError, match=r"20x30, 30x20.*transform.resize"):
        as_they_are([picture(20, 30), picture(30, 20)])


def test_a_crop_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="crop=20: it must not exceed resize=16"):
        transform(crop=20)


def test_all_settings_are_told() -> None:
    everything = set(Transform.__init__.__annotations__) - {"return"}
    assert set(transform(stretch=True).settings()) == everything
    assert set(transform().settings()) == everything - {
        "stretch"
    }  # numbers from before it could be set stay comparable


def test_both_sides_are_resized_where_pictures_are_stretched() -> None:
    """As the hub's own preparation of DINO does."""
    seen = transform(stretch=True, interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1))([picture(50, 40)])[0]
    expected = picture(50, 40).resize((16, 16), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(seen.permute(1, 2, 0).numpy() * 255, np.asarray(expected), atol=1e-4)
    with pytest.raises(ValueError, match="Give resize"):
        transform(stretch=True, resize=None)


def test_what_is_said_of_it_differs_where_pictures_are_shown_otherwise() -> None:
    others = {
        "resize": 20,
        "stretch": True,
        "interpolation": "bilinear",
        "crop": 12,
        "mean": (0, 0, 0),
        "std": (1, 1, 1),
    }
    said = [transform().described(), *(transform(**{name: value}).described() for name, value in others.items())]
    assert len(set(said)) == len(said)
