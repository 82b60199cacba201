import io
import logging
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from imprint.data import decoding
from imprint.data.decoding import BadPicture, decode

RED, BLUE = (255, 0, 0), (0, 0, 255)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format=format, **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(width: int, height: int, *, depth: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG of what Pillow cannot write: `rows` begin with their filter byte each."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + data + chunk(b"IEND", b"")


def located_photo(orientation: int = 1, image: Image.Image | None = None, **options: object) -> bytes:
    """A JPEG that says where it was taken."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 51.0, 29.0)
    return encoded(image or Image.new("RGB", (16, 16), RED), "JPEG", exif=exif, **options)


def half_red_half_blue(size: tuple[int, int] = (16, 8)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, size[0], size[1]))
    return image


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_stands_as_its_exif_orientation_says(orientation: int) -> None:
    """Pillow's own function is the oracle; 5 to 8 exchange the sides."""
    image = Image.linear_gradient("L").resize((16, 8)).convert("RGB")
    image.paste(RED, (0, 0, 4, 4))
    content = located_photo(orientation, image, quality=100, subsampling=0)
    upright = decode(content, "white")
    assert upright.size == ((16, 8) if orientation < 5 else (8, 16))
    assert upright.tobytes() == ImageOps.exif_transpose(Image.open(io.BytesIO(content))).tobytes()


def test_a_photo_is_turned_where_the_rest_of_its_metadata_is_damaged() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker"
    text_as_number = exif.tobytes().replace(b"\x01\x0f\x00\x02", b"\x01\x07\x00\x02")
    assert text_as_number != exif.tobytes()
    content = encoded(half_red_half_blue(), "JPEG", exif=text_as_number)
    assert decode(content, "white").size == (8, 16)


@pytest.mark.parametrize("header", [b"II*\x00\xff\xff\xff\xff", b"MMnonsense", b"MM\x00*"])
def test_metadata_that_cannot_be_read_does_not_spoil_the_picture(
    header: bytes, recwarn: pytest.WarningsRecorder
) -> None:
    broken = encoded(Image.new("RGB", (8, 8), RED), exif=b"Exif\x00\x00" + header)
    assert decode(broken, "white").size == (8, 8)
    assert not recwarn.list


def test_no_metadata_is_left_and_none_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with caplog.at_level(logging.DEBUG):
        bare = decode(located_photo(icc_profile=profile, comment=b"at home"), "white")
    assert bare.info == {}
    assert not bare.getexif()
    for format in ("JPEG", "PNG", "WEBP", "TIFF"):
        assert b"SecretCamera" not in encoded(bare, format)
    assert "SecretCamera" not in caplog.text
    assert "51.0" not in caplog.text


def test_of_an_mpo_the_photo_is_taken_not_the_gain_map() -> None:
    gain_map = Image.new("L", (4, 4), 128).convert("RGB")
    mpo = encoded(Image.new("RGB", (16, 16), RED), "MPO", save_all=True, append_images=[gain_map])
    assert Image.open(io.BytesIO(mpo)).format == "MPO"
    photo = decode(mpo, "white")
    assert photo.size == (16, 16)
    assert np.allclose(photo.getpixel((3, 3)), RED, atol=3)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), BLUE)]
    options: dict[str, object] = {"lossless": True} if format == "WEBP" else {}
    moving = encoded(Image.new("RGB", (8, 8), RED), format, save_all=True, append_images=frames, **options)
    assert getattr(Image.open(io.BytesIO(moving)), "n_frames", 1) == 2
    assert decode(moving, "white").getpixel((0, 0)) == RED


class TestTransparency:
    def test_half_transparent_red_on_blue_is_purple(self) -> None:
        content = encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 128)))
        assert decode(content, "blue").getpixel((0, 0)) == (128, 0, 127)

    def test_a_picture_of_which_nothing_can_be_seen_is_none(self) -> None:
        for image in (Image.new("RGBA", (4, 4), (200, 0, 0, 0)), Image.new("LA", (4, 4), (200, 0))):
            with pytest.raises(BadPicture, match="all of it is transparent"):
                decode(encoded(image), "white")

    def test_what_hides_behind_full_transparency_is_not_seen(self) -> None:
        image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
        image.putpixel((3, 3), (255, 0, 0, 255))
        assert decode(encoded(image), "white").getpixel((0, 0)) == (255,) * 3

    def test_grey_with_alpha(self) -> None:
        image = Image.new("LA", (4, 4), (0, 0))
        image.putpixel((3, 3), (0, 255))
        assert decode(encoded(image), "#00ff00").getpixel((0, 0)) == (0, 255, 0)

    @pytest.mark.parametrize("format", ["PNG", "GIF"])
    def test_a_transparent_palette_entry(self, format: str) -> None:
        image = Image.new("P", (4, 4), 1)
        image.putpalette([255, 0, 0, 0, 0, 255])
        image.putpixel((0, 0), 0)
        seen = decode(encoded(image, format, transparency=0), "white")
        assert seen.getpixel((0, 0)) == (255, 255, 255)
        assert seen.getpixel((1, 1)) == BLUE

    def test_a_transparent_colour_of_a_picture_without_alpha(self) -> None:
        seen = decode(encoded(half_red_half_blue(), transparency=RED), "white")
        assert (seen.getpixel((0, 0)), seen.getpixel((15, 0))) == ((255, 255, 255), BLUE)

    def test_a_transparent_value_of_16_bit_grey(self) -> None:
        transparent = chunk(b"tRNS", struct.pack(">H", 1000))
        rows = b"\x00" + struct.pack(">HH", 1000, 65535)
        seen = decode(png(2, 1, depth=16, colour=0, rows=rows, extra=transparent), "blue")
        assert (seen.getpixel((0, 0)), seen.getpixel((1, 0))) == (BLUE, (255, 255, 255))


class TestDepthAndColour:
    @pytest.mark.parametrize("value", [0, 40, 128, 200, 255])
    def test_16_bit_grey_png_is_scaled_not_clipped(self, value: int) -> None:
        content = encoded(Image.fromarray(np.full((4, 4), value * 257, dtype=np.uint16)))
        assert decode(content, "white").getpixel((0, 0)) == (value,) * 3

    def test_16_bit_rgb_png_is_scaled_not_clipped(self) -> None:
        rows = b"\x00" + struct.pack(">HHH", 200 * 257, 100 * 257, 0)
        assert decode(png(1, 1, depth=16, colour=2, rows=rows), "white").getpixel((0, 0)) == (200, 100, 0)

    def test_16_bit_big_endian_tiff(self) -> None:
        rows = np.full((2, 2), 128 * 257, dtype=">u2").tobytes()
        image = Image.frombytes("I;16B", (2, 2), rows)
        assert decode(encoded(image, "TIFF"), "white").getpixel((0, 0)) == (128,) * 3

    def test_32_bit_container_of_16_bit_values(self) -> None:
        content = encoded(Image.fromarray(np.full((2, 2), 128 * 257, dtype=np.int32)), "TIFF")
        assert decode(content, "white").getpixel((0, 0)) == (128,) * 3

    @pytest.mark.parametrize("values", [np.full((2, 2), 0.5, np.float32), np.full((2, 2), 10**6, np.int32)])
    def test_numbers_without_a_defined_white_are_refused(self, values: np.ndarray) -> None:
        with pytest.raises(BadPicture, match="no defined white"):
            decode(encoded(Image.fromarray(values), "TIFF"), "white")

    def test_cmyk_jpeg_is_not_inverted(self) -> None:
        """Adobe's programs store CMYK inverted, and so does every CMYK JPEG in practice."""
        content = encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100)
        assert np.allclose(decode(content, "white").getpixel((4, 4)), RED, atol=4)

    def test_cmyk_tiff(self) -> None:
        content = encoded(Image.new("CMYK", (8, 8), (255, 255, 0, 0)), "TIFF")
        assert decode(content, "white").getpixel((4, 4)) == BLUE

    @pytest.mark.parametrize("mode", ["L", "1", "P"])
    def test_grey_palette_and_black_and_white(self, mode: str) -> None:
        image = Image.new("L", (8, 8), 255).convert(mode)
        decoded = decode(encoded(image), "black")
        assert decoded.mode == "RGB"
        assert decoded.getpixel((0, 0)) == (255, 255, 255)

    def test_a_colour_profile_is_applied(self) -> None:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        swapped = srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
        content = encoded(Image.new("RGB", (8, 8), (0, 200, 0)), icc_profile=swapped)
        assert np.allclose(decode(content, "white").getpixel((0, 0)), (200, 0, 0), atol=1)

    @pytest.mark.parametrize("profile", [ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(), b"?"])
    def test_a_profile_that_does_not_fit_is_passed_over(self, profile: bytes) -> None:
        content = encoded(Image.new("RGB", (8, 8), (0, 200, 0)), icc_profile=profile)
        assert decode(content, "white").getpixel((0, 0)) == (0, 200, 0)


class TestRefused:
    @pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP"])
    def test_truncated(self, format: str, noise) -> None:
        whole = encoded(noise(0, (64, 64)), format)
        with pytest.raises(BadPicture):
            decode(whole[: len(whole) // 2], "white")

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "empty"),
            (b"\n<!DOCTYPE html><html></html>", "web page"),
            (b"just words", "not a picture"),
            (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "HEIC"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a picture"),
        ],
    )
    def test_what_is_no_picture(self, content: bytes, reason: str) -> None:
        with pytest.raises(BadPicture, match=reason):
            decode(content, "white")

    @pytest.mark.parametrize("side", [10_000, 30_000])
    def test_a_bomb_by_its_header_alone(self, side: int, recwarn: pytest.WarningsRecorder) -> None:
        """100 million pixels, at which Pillow warns, and 900 million, at which it raises."""
        with pytest.raises(BadPicture, match="million pixels"):
            decode(png(side, side, depth=8, colour=2, rows=b""), "white")
        assert not recwarn.list

    def test_the_limit_is_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(decoding, "PIXEL_LIMIT", 63)
        with pytest.raises(BadPicture, match="million pixels"):
            decode(encoded(Image.new("RGB", (8, 8))), "white")

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(BadPicture, match="no such file"):
            decode(tmp_path / "broken.jpg", "white")
        with pytest.raises(BadPicture, match="not a regular file"):
            decode(tmp_path / "pipe.jpg", "white")


def test_the_same_from_a_file_and_from_its_bytes(tmp_path: Path, noise) -> None:
    noise(0).save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", "white") == decode((tmp_path / "a.png").read_bytes(), "white")


def test_random_damage_is_never_another_error(noise) -> None:
    """Whatever a byte is changed to: a picture, or BadPicture."""
    random = np.random.default_rng(0)
    for format in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"):
        whole = encoded(noise(0), format)
        for _ in range(40):
            damaged = bytearray(whole)
            damaged[random.integers(len(damaged))] = random.integers(256)
            try:
                assert decode(bytes(damaged), "white").mode == "RGB"
            except BadPicture:
                continue
