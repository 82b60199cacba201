"""Pairs by which an upscaler is judged: a photo, and what the upscaler makes of its small version.

The photos are the subject's, or those of other things, on which an upscaler should lose nothing by being tuned.
"""

from collections.abc import Sequence

from PIL import Image, ImageOps

from imprint.evaluation.records import Photo

OTHERS = "others"  # the prompt set of the pictures of other things


def truth_of(k: int, photos: Sequence[Photo]) -> Photo:
    """The photo whose small version is enlarged for the picture with this number of a prompt: those that were not
    trained on in turn, or where there are none, all."""
    held_out = [photo for photo in photos if not photo.trained_on] or photos
    return held_out[k % len(held_out)]


def view_of(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The middle of a picture, at this height and width."""
    height, width = size
    resampling = Image.Resampling.BILINEAR if picture.mode == "L" else Image.Resampling.LANCZOS
    return ImageOps.fit(picture, (width, height), resampling)
