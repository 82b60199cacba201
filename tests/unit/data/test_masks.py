"""Masks: which file belongs to which picture, and that a weight lies on the pixel that it was drawn for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imprint.data.framing import Framing
from imprint.data.masks import MaskUse, cropped_out, with_masks
from imprint.data.pictures import PictureSet
from imprint.data.reading import open_folder
from imprint.data.stream import TrainingStream, collate
from imprint.data.subject import SamePictures, SubjectSamples
from imprint.errors import PictureError

SIZE = (48, 32)  # width, height


@pytest.fixture
def photos(tmp_path: Path, noise) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(2):
        noise(index, SIZE).save(folder / f"{index}.png")
    return folder


def pictures_of(folder: Path, *, masks: MaskUse = "auto", mask_background: float = 0.1) -> PictureSet:
    pictures = open_folder(str(folder), key="dataset.path", bad_pictures="strict", background="white")
    return with_masks(pictures, folder, use=masks, outside=mask_background, key="dataset.path")


def mask(size: tuple[int, int] = SIZE, box: tuple[int, int, int, int] = (0, 0, 24, 32)) -> Image.Image:
    image = Image.new("L", size)
    image.paste(255, box)
    return image


def stream_of(folder: Path, *, crop: str = "centre", flip: bool = False, **changes: Any) -> TrainingStream:
    part = SubjectSamples(
        number=0,
        pictures=pictures_of(folder, **changes),
        captions=["a sks dog"],
        caption_dropout=0.0,
        prior=SamePictures(["a dog"]),
        framing=Framing(crop=crop, flip=flip, resolution=32, multiple=8),  # type: ignore[arg-type]
        seed=0,
        batch_size=2,
    )
    return TrainingStream(subjects=[part], batch_size=2, with_pixels=True)


class TestFiles:
    @pytest.mark.parametrize("name", ["0.mask.png", "masks/0.png", "0.mask.webp"])
    def test_it_lies_beside_the_picture_or_in_a_folder(self, photos: Path, name: str) -> None:
        (photos / "masks").mkdir()
        mask().save(photos / name, lossless=True)
        pictures = pictures_of(photos)
        assert [picture.key for picture in pictures.pictures] == ["0.png", "1.png"]
        assert [picture.mask is not None for picture in pictures.pictures] == [True, False]

    def test_its_content_and_its_background_are_part_of_the_set_and_nothing_else_is(self, photos: Path) -> None:
        def fingerprint(**settings: Any) -> str:
            return pictures_of(photos, **settings).fingerprint

        without = fingerprint()
        assert fingerprint(masks="off", mask_background=0.5) == fingerprint(mask_background=0.5) == without
        mask().save(photos / "0.mask.png")
        found = {
            without,
            fingerprint(),
            fingerprint(mask_background=0.5),
        }
        mask(box=(0, 0, 8, 8)).save(photos / "0.mask.png")
        assert len(found | {fingerprint()}) == 4
        assert fingerprint(masks="off") == without
        (photos / "masks").mkdir()
        before = fingerprint()
        (photos / "0.mask.png").rename(photos / "masks" / "0.png")
        assert fingerprint() == before

    def test_all_that_is_wrong_is_told_at_once(self, photos: Path) -> None:
        mask((32, 48)).save(photos / "0.mask.png")
        Image.new("L", SIZE).save(photos / "1.mask.png")
        (photos / "masks").mkdir()
        mask().save(photos / "masks" / "1.png")
        mask().save(photos / "masks" / "7.png")
        with pytest.raises(PictureError) as caught:
            pictures_of(photos)
        for part in (
            "0.mask.png: is 32 x 48, but 0.png is 48 x 32",
            "1.mask.png: is black all over",
            "masks/1.png: 1 has another mask already",
            "masks/7.png: there is no picture 7",
            "masks=off",
        ):
            assert part in str(caught.value)
        assert len(pictures_of(photos, masks="off")) == 2

    def test_a_file_that_is_no_picture_is_named(self, photos: Path) -> None:
        (photos / "0.mask.png").write_text("nothing")
        with pytest.raises(PictureError, match=r"0\.mask\.png: not a picture"):
            pictures_of(photos)

    def test_required_ones_that_are_missing_are_named(self, photos: Path) -> None:
        mask().save(photos / "0.mask.png")
        with pytest.raises(PictureError, match=r"1\.png: has no mask. Add 1\.mask\.png, or set masks=auto"):
            pictures_of(photos, masks="require")
        mask().save(photos / "1.mask.png")
        assert all(picture.mask for picture in pictures_of(photos, masks="require").pictures)

    def test_of_a_cut_out_picture_what_is_opaque_is_the_subject(self, photos: Path, noise) -> None:
        mask().save(photos / "0.mask.png")
        cut = noise(5, SIZE)
        cut.putalpha(mask())
        cut.save(photos / "1.mask.png")
        weights = collate([stream_of(photos)[position] for position in range(2)]).weights_BHW
        assert weights is not None
        assert torch.equal(weights[0], weights[1])

    def test_one_that_changed_since_is_not_read(self, photos: Path) -> None:
        mask().save(photos / "0.mask.png")
        mask().save(photos / "1.mask.png")
        stream = stream_of(photos)
        for index in range(2):
            mask(box=(0, 0, 8, 8)).save(photos / f"{index}.mask.png")
        with pytest.raises(PictureError, match=r"mask\.png: the file has changed"):
            stream[0]


class TestWeights:
    @pytest.mark.parametrize("crop", ["centre", "random", "buckets"])
    def test_they_follow_the_picture_through_crop_and_mirror(self, photos: Path, crop: str) -> None:
        """The mask is drawn from the picture: what is bright there is bright in the sample."""
        for index in range(2):
            spots = np.zeros((*SIZE[::-1], 3), dtype=np.uint8)
            spots[4:12, 14 + 6 * index : 22 + 6 * index] = 255
            Image.fromarray(spots).save(photos / f"{index}.png")
            Image.fromarray(spots[..., 0]).save(photos / f"{index}.mask.png")
        stream = stream_of(photos, crop=crop, flip=True, mask_background=0.0)
        seen = set()
        for position in range(24):
            sample = stream[position][0]
            bright_HW = (sample.pixels_CHW[0] + 1) / 2
            assert sample.weights_HW.shape == bright_HW.shape
            assert float((sample.weights_HW - bright_HW).abs().mean()) < 0.03
            assert float(sample.weights_HW.sum()) > 10
            seen.add(sample.key)
        assert len(seen) >= 4

    def test_outside_the_mask_a_pixel_counts_as_configured(self, photos: Path) -> None:
        mask(box=(0, 0, 48, 16)).save(photos / "0.mask.png")
        mask(box=(0, 0, 48, 16)).save(photos / "1.mask.png")
        sample = stream_of(photos, mask_background=0.25)[0][0]
        assert torch.equal(sample.weights_HW[:16], torch.ones(16, 32))
        assert torch.equal(sample.weights_HW[16:], torch.full((16, 32), 0.25))

    def test_prior_samples_and_pictures_without_a_mask_count_everywhere_alike(self, photos: Path) -> None:
        mask().save(photos / "0.mask.png")
        stream = stream_of(photos)
        batch = collate([stream[position] for position in range(2)])
        assert batch.weights_BHW is not None
        uniform = [bool((weights == 1).all()) for weights in batch.weights_BHW]
        assert sorted(uniform[:2]) == [False, True]
        assert uniform[2:] == [True, True]

    def test_where_no_picture_has_one_there_are_none(self, photos: Path) -> None:
        assert collate([stream_of(photos)[0]]).weights_BHW is None

    def test_with_cached_latents_they_are_the_same(self, photos: Path) -> None:
        mask().save(photos / "0.mask.png")
        stream = stream_of(photos, flip=True)
        with_pixels, without = (collate([part[p] for p in range(4)]) for part in (stream, stream.without_pixels()))
        assert without.pixels_BCHW is None
        assert torch.equal(with_pixels.weights_BHW, without.weights_BHW)


@pytest.mark.parametrize(
    ("crop", "box", "hidden"),
    [
        ("centre", (0, 0, 8, 32), ["0.png"]),  # left of the square in the middle
        ("centre", (0, 0, 9, 32), []),
        ("buckets", (0, 0, 8, 32), []),
        ("random", (0, 0, 12, 32), ["0.png"]),  # the rightmost crop begins at 16
        ("random", (14, 0, 18, 32), []),
    ],
)
def test_a_frame_that_can_miss_the_subject_is_found(
    photos: Path, crop: str, box: tuple[int, int, int, int], hidden: list[str]
) -> None:
    mask(box=box).save(photos / "0.mask.png")
    framing = Framing(crop=crop, flip=False, resolution=32, multiple=8)  # type: ignore[arg-type]
    assert list(cropped_out(pictures_of(photos, mask_background=0.0).pictures, framing)) == hidden
    assert not list(cropped_out(pictures_of(photos, mask_background=0.1).pictures, framing))
