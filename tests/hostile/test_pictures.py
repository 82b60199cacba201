"""Pictures and masks: whatever a file's bytes are, a picture, or one line that says why not."""

import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hostile.answers import answer, folder_in, refused
from hostile.budget import examples
from hostile.invented import damaged, texts
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, ImageCms, features

from imprint.data.decoding import PIXEL_LIMIT, BadPicture, decode, decode_mask
from imprint.data.folder import PictureFolder
from imprint.data.pictures import PictureSet
from imprint.errors import PictureError

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
    "GIF": ("L", "P"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I", "F", "I;16"),
    "BMP": ("1", "L", "P", "RGB"),
    "AVIF": ("RGB", "RGBA"),
}
WRITTEN = [
    (format, mode) for format, modes in MODES.items() for mode in modes if format != "AVIF" or features.check("avif")
]
SIDES = st.integers(1, 40)
ZEROS = zlib.compress(bytes(1 << 26), 9)


def written(format: str, mode: str, size: tuple[int, int], orientation: int, profile: bytes, frames: int) -> bytes:
    values = np.random.default_rng(size[0]).integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    if mode in ("I", "F", "I;16"):
        type = {"I": np.int32, "F": np.float32, "I;16": np.uint16}[mode]
        image = Image.fromarray(values[..., 0].astype(type) * 257)
    else:
        base = Image.fromarray(values, "RGBA")
        image = base if mode == "RGBA" else base.convert("RGB").convert(mode)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, object] = {"exif": exif} if format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF") else {}
    if profile and format not in ("GIF", "BMP"):
        options["icc_profile"] = profile
    if frames > 1 and format in ("PNG", "WEBP", "GIF", "TIFF"):
        options |= {"save_all": True, "append_images": [image.copy() for _ in range(frames - 1)]}
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


pictures = st.builds(
    lambda kind, *more: written(*kind, *more),
    st.sampled_from(WRITTEN),
    st.tuples(SIDES, SIDES),
    st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 65535]),
    st.sampled_from([b"", SRGB, SRGB[:200], b"nonsense"]),
    st.integers(1, 3),
)


def decoded(content: bytes) -> Image.Image | None:
    return answer(lambda: decode(content, "white"), error=BadPicture)


@given(content=pictures)
def test_what_pillow_wrote_is_read(content: bytes) -> None:
    source = Image.open(io.BytesIO(content))
    if source.mode == "F":
        refused(lambda: decode(content, "white"), error=BadPicture)
    else:
        picture = decode(content, "white")
        assert picture.mode == "RGB"
        assert sorted(picture.size) == sorted(source.size)


@examples(3)
@given(content=st.one_of(damaged(pictures), st.binary(max_size=200)))
def test_damage_is_a_picture_or_a_line(content: bytes) -> None:
    picture = decoded(content)
    if picture is not None:
        assert picture.mode == "RGB"
        assert picture.width * picture.height <= PIXEL_LIMIT
        assert not picture.info
    mask = answer(lambda: decode_mask(content), error=BadPicture)
    assert mask is None or mask.mode == "L"


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *more, chunk(b"IDAT", rows), chunk(b"IEND", b"")])


@given(
    width=st.integers(0, 2**32 - 1),
    height=st.integers(0, 2**32 - 1),
    depth=st.sampled_from([1, 2, 4, 8, 16, 255]),
    colour=st.integers(0, 7),
)
@example(width=2**31, height=2**31, depth=16, colour=6)
@example(width=8_900, height=8_900, depth=16, colour=6)
def test_the_size_that_a_header_claims_takes_no_memory(width: int, height: int, depth: int, colour: int) -> None:
    decoded(png(width, height, depth, colour, zlib.compress(b"")))


def test_scaling_16_bits_takes_a_few_bytes_a_pixel() -> None:
    """Of what Pillow takes for itself nothing is known here; numpy's memory is counted."""
    side = 500
    content = png(side, side, 16, 0, zlib.compress(bytes(side * (2 * side + 1))))
    tracemalloc.start()
    try:
        decode(content, "white")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * side * side


@pytest.mark.parametrize(
    "more",
    [chunk(b"zTXt", b"a\0\0" + ZEROS), chunk(b"iCCP", b"a\0\0" + ZEROS), chunk(b"eXIf", bytes(1 << 20))],
    ids=["text", "profile", "exif"],
)
def test_what_unpacks_to_much_is_not_unpacked(more: bytes) -> None:
    decoded(png(1, 1, 8, 0, zlib.compress(b"\0\0"), more))


def subject(folder: Path, **settings: object) -> PictureSet:
    usual = {
        **{"identifier": "sks", "class_noun": "dog", "nouns": ["dog"], "subject": "auto", "kind": "object"},
        **{"holdout": 0, "shots": None, "captions": "auto", "caption_dropout": 0.0},
        **{"bad_pictures": "strict", "background": "white"},
        **{"crop": "centre", "flip": False, "masks": "auto", "mask_background": 0.0},
        **{"rights": None, "opt_out": "tell"},
    }
    return PictureFolder(path=str(folder), **{**usual, **settings}).open()  # type: ignore[arg-type]


# Whatever a file system takes.
file_names = st.builds(
    lambda name: (
        name.encode("utf-8", "surrogatepass").replace(b"/", b"_").replace(b"\0", b"_")[:200].lstrip(b".") or b"x"
    ),
    texts,
)


@examples(2)
@given(
    names=st.lists(file_names, min_size=1, max_size=3, unique=True),
    content=st.one_of(pictures, damaged(pictures)),
    masks=st.booleans(),
)
def test_files_of_any_name(ground: Path, names: list[bytes], content: bytes, masks: bool) -> None:
    with folder_in(ground) as folder:
        for name in names:
            (folder / os.fsdecode(name + b".png")).write_bytes(content)
            if masks:
                (folder / os.fsdecode(name + b".mask.png")).write_bytes(content)
        found = answer(lambda: subject(folder, masks="require"), "dataset.path=", error=PictureError, lines=4)
        if found is not None:
            assert all(picture.key.isprintable() for picture in found.pictures)
            assert masks


@examples(1)
@given(mask=damaged(pictures))
def test_a_damaged_mask_is_named(ground: Path, mask: bytes) -> None:
    with folder_in(ground) as folder:
        Image.new("RGB", (20, 20)).save(folder / "a.png")
        (folder / "a.mask.png").write_bytes(mask)
        answer(lambda: subject(folder), "a.mask.png")


def test_a_file_larger_than_any_picture_is_not_read(ground: Path) -> None:
    """A terabyte, of which nothing is on the disk."""
    with folder_in(ground) as folder:
        for name in ("a.png", "b.png", "b.mask.png"):
            with (folder / name).open("wb") as file:
                file.truncate(1 << 40)
        assert "too large" in refused(lambda: subject(folder), "a.png", "b.png", lines=3)
        Image.new("RGB", (20, 20)).save(folder / "b.png")
        (folder / "a.png").unlink()
        assert "too large" in refused(lambda: subject(folder), "b.mask.png")
