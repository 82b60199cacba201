"""From a file's bytes to upright RGB pixels, whatever camera, editor or web site made the file."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from imprint.libraries.process import hide_metadata_of_pictures
from imprint.pictures.files import PIXEL_LIMIT, on_background, readable_formats

BYTE_LIMIT = 1 << 30  # PIXEL_LIMIT pixels take less, however they are stored

# What EXIF tells of how the camera was held, and what turns the picture upright.
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

hide_metadata_of_pictures()


class BadPicture(Exception):
    """Bytes that are no usable picture; the text says why and holds nothing of the picture's metadata."""


def decode(source: bytes | Path, background: str) -> Image.Image:
    """The picture in RGB, 8 bits, upright, in sRGB, without metadata; what is transparent shows `background`.

    Of an animation or a multi-picture file, the first frame. Raises BadPicture.
    """
    content = source if isinstance(source, bytes) else read(source)
    return _decoded(content, lambda image: _without_metadata(_flattened(image, background)))


def decode_mask(content: bytes) -> Image.Image:
    """The picture's opacity where it is transparent in parts, else its brightness: upright. Raises BadPicture."""
    return _decoded(content, _opacity_or_brightness)


def _decoded(content: bytes, finish: Callable[[Image.Image], Image.Image]) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = _opened(content)
        try:
            image.load()
            return finish(_to_8_bits(_upright(image)))
        except BadPicture:
            raise
        except Exception as error:  # on damaged bytes, Pillow's readers raise nearly everything
            raise BadPicture(f"damaged or cut off ({type(error).__name__})") from error


def read(path: Path) -> bytes:
    """The file's bytes. Raises BadPicture."""
    try:
        if not path.is_file():  # reading a pipe would wait for ever
            raise BadPicture("not a regular file" if path.exists() else "there is no such file")
        if path.stat().st_size > BYTE_LIMIT:
            raise BadPicture("too large for a picture: the file has more than 1 GiB")
        return path.read_bytes()
    except OSError as error:
        raise BadPicture(f"cannot be read ({error.strerror})") from error


def _opened(content: bytes) -> Image.Image:
    """The picture's header, within the limit of pixels."""
    if not content:
        raise BadPicture("empty file")
    too_large = BadPicture(f"it claims to have more than {PIXEL_LIMIT // 10**6} million pixels: scale it down")
    try:
        image = Image.open(io.BytesIO(content), formats=readable_formats())
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise too_large from error
    except UnidentifiedImageError as error:
        raise BadPicture(f"not a picture that can be read here ({_likeness(content)})") from error
    except Exception as error:
        raise BadPicture(f"damaged or cut off ({type(error).__name__})") from error
    if image.width * image.height > PIXEL_LIMIT:
        raise too_large
    return image


def _likeness(content: bytes) -> str:
    """What the file seems to be instead."""
    start = content[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    if content[4:8] == b"ftyp" and content[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis"):
        return "it is HEIC: save it as JPEG or PNG"
    if start.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer: run git lfs pull"
    return "unknown format, or cut off"


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its metadata says. (exif_transpose fails where it cannot write the other metadata back.)"""
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception:  # the pixels are sound: metadata that cannot be read doesn't spoil them
        return image
    return image if turn is None else image.transpose(turn)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Pillow clips 16-bit grey at 255 when it converts it: scaled here."""
    if image.mode == "F":
        raise BadPicture("its pixels are floating-point numbers with no defined white: save it with 8 or 16 bits")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    values_HW = np.asarray(image)
    if values_HW.min() < 0 or values_HW.max() > 65535:
        raise BadPicture("its pixels are 32-bit numbers with no defined white: save it with 8 or 16 bits")
    scaled_HW = values_HW.astype(np.uint32)
    scaled_HW *= 255  # in place: for the largest pictures each copy is hundreds of megabytes
    scaled_HW += 32767
    scaled_HW //= 65535
    grey = Image.fromarray(scaled_HW.astype(np.uint8))
    see_through = image.info.get("transparency")
    if isinstance(see_through, int):
        grey.putalpha(Image.fromarray((values_HW != see_through).astype(np.uint8) * 255))
    return grey


def _flattened(image: Image.Image, background: str) -> Image.Image:
    if not image.has_transparency_data:
        return _in_srgb(image)
    layered = image.convert("RGBA")
    if not layered.getchannel("A").getbbox():
        raise BadPicture("all of it is transparent: there is nothing to see")
    picture = _in_srgb(layered)
    picture.putalpha(layered.getchannel("A"))
    return on_background(picture, background)


def _opacity_or_brightness(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        opacity = image.convert("RGBA").getchannel("A")
        if opacity.tobytes().strip(b"\xff"):
            return opacity
    return image.convert("L")


def _in_srgb(image: Image.Image) -> Image.Image:
    """RGB as a model expects it. Phones write Display P3, print shops CMYK, with a profile that says so."""
    profile = image.info.get("icc_profile")
    plain = image if image.mode in ("RGB", "CMYK", "L") else image.convert("RGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(plain, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):  # a broken profile, or one for other channels
            return plain.convert("RGB")
        assert converted is not None
        return converted
    return plain.convert("RGB")


def _without_metadata(image: Image.Image) -> Image.Image:
    bare = Image.new("RGB", image.size)
    bare.paste(image)
    return bare
