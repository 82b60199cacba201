import math

import pytest
import torch
from PIL import Image
from torch import Tensor

from imprint.data.framing import CENTRE, Frame, Framing, View, cover, pixels
from imprint.data.framing import cropped as part_of
from imprint.data.pictures import Picture
from imprint.errors import UserError

SHAPES = [(64, 64), (300, 200), (200, 300), (1000, 333), (512, 513), (31, 17), (4000, 50), (1, 1), (7, 900)]


def picture_of(size: tuple[int, int]) -> Picture:
    return Picture(key="a.png", caption=None, content="content", size=size)


def framing_of(crop: str, *, flip: bool = False, resolution: int = 64, multiple: int = 8) -> Framing:
    return Framing(crop=crop, flip=flip, resolution=resolution, multiple=multiple)  # type: ignore[arg-type]


def seen(image: Image.Image, framing: Framing, *, sample: str = "instance/0") -> Tensor:
    frame = framing.frame_of(image.size)
    return pixels(cover(image, frame), framing.view(picture_of(image.size), frame, seed=0, sample=sample))


def coordinates(size: tuple[int, int]) -> Image.Image:
    """Red grows to the right, green downwards, both from 0 to 255."""
    across = Image.linear_gradient("L").rotate(90).resize(size)
    down = Image.linear_gradient("L").resize(size)
    return Image.merge("RGB", [across, down, Image.new("L", size)])


@pytest.mark.parametrize("crop", ["centre", "random", "buckets"])
@pytest.mark.parametrize("size", SHAPES)
def test_pixels_fill_the_frame_and_its_range(crop: str, size: tuple[int, int]) -> None:
    framing = framing_of(crop)
    view_CHW = seen(Image.new("RGB", size, (255, 0, 0)), framing)
    assert view_CHW.shape == (3, *framing.frame_of(size))
    assert view_CHW.dtype == torch.float32
    assert torch.equal(view_CHW[0], torch.ones_like(view_CHW[0]))
    assert torch.equal(view_CHW[1], -torch.ones_like(view_CHW[1]))


@pytest.mark.parametrize("crop", ["centre", "random", "buckets"])
@pytest.mark.parametrize("size", [(600, 400), (400, 600), (512, 512), (700, 200), (100, 150)])
def test_nothing_is_squashed(crop: str, size: tuple[int, int]) -> None:
    """A pixel's step to the right and downwards spans the same distance of the picture."""
    view_CHW = seen(coordinates(size), framing_of(crop))
    _, height, width = view_CHW.shape
    red, green = view_CHW[0, height // 2], view_CHW[1, :, width // 2]
    across = float(red[-8] - red[8]) * size[0] / (width - 16)
    down = float(green[-8] - green[8]) * size[1] / (height - 16)
    assert across == pytest.approx(down, rel=0.03)


def test_centre_crop_shows_the_middle_of_the_longer_side_and_all_of_the_shorter() -> None:
    view_CHW = seen(coordinates((600, 300)), framing_of("centre"))
    assert view_CHW[0].min() == pytest.approx(-0.5, abs=0.03)
    assert view_CHW[0].max() == pytest.approx(0.5, abs=0.03)
    assert view_CHW[1].min() == pytest.approx(-1, abs=0.03)
    assert view_CHW[1].max() == pytest.approx(1, abs=0.03)


def test_a_picture_of_the_right_size_is_not_resampled(noise) -> None:
    image = noise(0, (64, 64))
    exact_CHW = torch.tensor(list(image.tobytes())).view(64, 64, 3).permute(2, 0, 1) / 127.5 - 1
    assert torch.allclose(seen(image, framing_of("centre")), exact_CHW)


def test_shrinking_averages_instead_of_picking_pixels() -> None:
    stripes = Image.new("L", (512, 512))
    for column in range(0, 512, 2):
        stripes.paste(255, (column, 0, column + 1, 512))
    inside_CHW = seen(stripes.convert("RGB"), framing_of("centre"))[:, 4:-4, 4:-4]
    assert inside_CHW.abs().max() < 0.05


def test_a_strip_does_not_fill_the_memory() -> None:
    for size in ((50_000, 1), (1, 50_000)):
        assert cover(Image.new("RGB", size), Frame(64, 64)).numel() < 10 * 64 * 64 * 3


class TestRandom:
    def test_offsets_depend_on_the_sample_alone_and_cover_the_range(self) -> None:
        framing = framing_of("random")
        picture, frame = picture_of((300, 100)), Frame(64, 64)
        offsets = [framing.view(picture, frame, seed=0, sample=f"instance/{i}").offset for i in range(100)]
        again = [framing.view(picture, frame, seed=0, sample=f"instance/{i}").offset for i in range(100)]
        assert offsets == again
        assert len(set(offsets)) == 100
        assert min(offsets) < 0.1
        assert max(offsets) > 0.9

    def test_the_part_shown_moves(self) -> None:
        image, framing = coordinates((300, 100)), framing_of("random")
        lefts = [float(seen(image, framing, sample=f"instance/{i}")[0].min()) for i in range(20)]
        assert max(lefts) - min(lefts) > 0.8

    def test_it_is_not_cacheable_and_says_why(self) -> None:
        assert not framing_of("random").cacheable
        assert "crop=random" in (framing_of("random").why_not_cacheable or "")
        assert framing_of("buckets", flip=True).cacheable
        assert framing_of("centre").why_not_cacheable is None

    def test_views_that_differ_have_different_keys(self) -> None:
        picture, frame = picture_of((300, 100)), Frame(64, 64)
        framing = framing_of("random", flip=True)
        keys = {framing.view(picture, frame, seed=0, sample=f"instance/{i}").key for i in range(50)}
        assert len(keys) == 50


class TestFlip:
    def test_only_when_asked(self) -> None:
        picture, frame = picture_of((64, 64)), Frame(64, 64)
        for flip, share in ((False, 0), (True, 100)):
            framing = framing_of("centre", flip=flip)
            views = [framing.view(picture, frame, seed=0, sample=f"instance/{i}") for i in range(200)]
            assert sum(view.flipped for view in views) == pytest.approx(share, abs=25 if flip else 0)
            assert {*views} == {*framing.views(picture, frame)}

    def test_mirrors_left_and_right(self) -> None:
        image, frame = coordinates((64, 64)), Frame(64, 64)
        plain, mirrored = (
            pixels(cover(image, frame), View(picture_of((64, 64)), frame, CENTRE, flipped)) for flipped in (False, True)
        )
        assert torch.equal(mirrored, plain.flip(2))
        assert not torch.equal(mirrored, plain)


class TestBuckets:
    @pytest.mark.parametrize(("resolution", "multiple"), [(512, 8), (512, 64), (768, 64), (64, 8), (576, 64), (8, 8)])
    def test_sides_are_multiples_and_the_area_is_that_of_the_square(self, resolution: int, multiple: int) -> None:
        frames = framing_of("buckets", resolution=resolution, multiple=multiple).frames
        assert Frame(resolution, resolution) in frames
        assert len(frames) == len(set(frames))
        for frame in frames:
            assert frame.height % multiple == frame.width % multiple == 0
            assert resolution**2 / 2 <= frame.height * frame.width <= resolution**2

    @pytest.mark.parametrize("size", [(1000, 1000), (1500, 1000), (1000, 1500), (1600, 900), (2000, 1000)])
    def test_little_of_a_usual_photo_is_cut(self, size: tuple[int, int]) -> None:
        frame = framing_of("buckets", resolution=512).frame_of(size)
        kept = math.exp(-abs(math.log(size[0] / size[1]) - math.log(frame.width / frame.height)))
        assert kept > 0.9


def test_a_resolution_that_the_model_cannot_take_is_refused_with_those_it_can() -> None:
    with pytest.raises(UserError, match=r"resolution=500.*multiple of 64.* 448 or 512"):
        framing_of("centre", resolution=500, multiple=64)


def test_pictures_that_must_be_enlarged_are_known() -> None:
    sizes = {"small": (63, 200), "exact": (64, 64), "large": (65, 200)}
    pictures = [picture_of(size)._replace(key=key) for key, size in sizes.items()]
    assert framing_of("centre").too_small(pictures) == ["small"]


@pytest.mark.parametrize("crop", ["centre", "random", "buckets"])
@pytest.mark.parametrize("size", [(90, 40), (33, 64), (20, 24), (64, 64)])
def test_geometry_says_where_the_first_pixel_is_from(crop: str, size: tuple[int, int]) -> None:
    """Held against pixels that say where they are."""
    framing, picture = framing_of(crop, flip=True, resolution=32), picture_of(size)
    for sample in ("a", "b", "c", "d"):
        view = framing.view(picture, framing.frame_of(size), seed=1, sample=sample)
        covering = cover(Image.new("RGB", size), view.frame)
        height, width = covering.shape[:2]
        rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        if view.flipped:  # the corner is that of the mirrored picture
            columns = columns.flip(1)
        places = part_of(torch.stack([rows, columns], dim=-1), view)
        geometry = view.geometry
        assert geometry.original == (size[1], size[0])
        assert geometry.target == tuple(view.frame) == tuple(places.shape[:2])
        assert geometry.crop == tuple(places[0, 0].tolist())
