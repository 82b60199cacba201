"""Photos in the place of drawn pictures: what a model would score that drew the subject itself."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from imprint.evaluation.records import Asked, Photo, Shot
from imprint.hashing import file_hash


def real(photos: Sequence[Photo], folder: Path, set_name: str) -> list[Shot]:
    """Every photo as a picture of one prompt. They keep their contents, so that no photo is compared with itself."""
    return [
        Shot(Asked(set_name, 0, "", "", k), "", 0, _written(photo.load(), folder, photo), photo.content, "ok")
        for k, photo in enumerate(photos)
    ]


def copies(asked: Sequence[tuple[Asked, str]], photos: Sequence[Photo], folder: Path) -> list[Shot]:
    """Each picture that is asked for is a photo that was trained on, in turn: what a model draws that only remembers.

    As pictures they have contents of their own: the comparison with their original counts.
    """
    trained = [photo for photo in photos if photo.trained_on]
    files = [_written(photo.load(), folder, photo) for photo in trained]
    contents = [file_hash(file) for file in files]
    return [
        Shot(one, prompt, 0, files[index % len(files)], contents[index % len(files)], "ok")
        for index, (one, prompt) in enumerate(asked)
        if files
    ]


def _written(picture: Image.Image, folder: Path, photo: Photo) -> Path:
    file = folder / f"{photo.content}.png"
    if not file.exists():
        picture.save(file, format="PNG")
    return file
