"""Which pixels of a picture are the subject: masks that lie beside the pictures.

`NAME.mask.png` or `masks/NAME.png` belongs to the picture NAME, and is of its size; or, of train/SUBJECT, a file of
train_masks/SUBJECT, as PODS has them. White is the subject; where a file is transparent in parts, what is opaque is.
"""

import logging
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Literal

from PIL import Image
from torch import Tensor
from torch.nn import functional

from imprint.data.decoding import BadPicture, decode_mask, read
from imprint.data.framing import Framing, View, cover, cropped
from imprint.data.listing import MASK, SUFFIXES, list_pictures, printable
from imprint.data.pictures import Mask, Picture, PictureSet, PixelCache, content_hash
from imprint.data.pods import mask_folder
from imprint.errors import PictureError

log = logging.getLogger(__name__)

MaskUse = Literal["auto", "off", "require"]
FOLDER = "masks"


def with_masks(pictures: PictureSet, folder: Path, *, use: MaskUse, outside: float, key: str) -> PictureSet:
    """The pictures, files of `folder`, with the masks that lie there. Raises PictureError with all that is wrong with
    them."""
    if use == "off":
        return pictures
    problems: list[str] = []
    place = f"{key}={printable(folder)}"
    found = _masks_of(folder, {file.stem for file in list_pictures(folder, key=key)}, problems)
    masked: list[Picture] = []
    for picture, file in zip(pictures.pictures, pictures.sources, strict=True):
        assert isinstance(file, Path)
        mask = found.get(file.stem)
        if mask is None and use == "require":
            problems.append(f"{picture.key}: has no mask. Add {file.stem}{MASK}.png, or set masks=auto")
        content = _checked(mask, picture, problems) if mask else None
        masked.append(picture._replace(mask=Mask(content, mask, outside)) if mask and content else picture)
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise PictureError(
            f"{place}: these masks cannot be used:\n{listed}\nMend them, or set masks=off to do without them."
        )
    count = sum(picture.mask is not None for picture in masked)
    if count:
        log.info("%s: %d of %d pictures have a mask.", place, count, len(masked))
    return pictures.replaced(masked)


def pixel_weights(view: View, cache: PixelCache) -> Tensor | None:
    """How much each pixel of the view counts; None where the picture has no mask."""
    mask = view.picture.mask
    if mask is None:
        return None
    covering_HW1 = cache.get(("mask", mask.content, view.frame), lambda: cover(load_mask(mask), view.frame))
    mask_HW = cropped(covering_HW1, view)[..., 0].float() / 255
    return mask.outside + (1 - mask.outside) * mask_HW


def cropped_out(pictures: Sequence[Picture], framing: Framing) -> Iterator[str]:
    """The keys of the pictures of which a frame can show nothing that counts."""
    for picture in pictures:
        if picture.mask is None or picture.mask.outside > 0:
            continue
        frame = framing.frame_of(picture.size)
        covering_1HW = cover(load_mask(picture.mask), frame).permute(2, 0, 1).float()
        places_HW = functional.avg_pool2d(covering_1HW, kernel_size=(frame.height, frame.width), stride=1)[0]
        if not (places_HW if framing.crop == "random" else _centre(places_HW)).all():
            yield picture.key


def _centre(places_HW: Tensor) -> Tensor:
    return places_HW[round((places_HW.shape[0] - 1) / 2), round((places_HW.shape[1] - 1) / 2)]


def _masks_of(folder: Path, names: Collection[str], problems: list[str]) -> dict[str, Path]:
    """By the stem of the picture, of which there are `names`."""
    found: dict[str, Path] = {}
    for file in _candidates(folder):
        stem = file.stem if file.parent != folder else file.stem.removesuffix(MASK)
        name = printable(os.path.relpath(file, folder))
        if stem not in names:
            problems.append(f"{name}: there is no picture {printable(stem)} that it could belong to")
        elif found.setdefault(stem, file) != file:
            problems.append(f"{name}: {printable(stem)} has another mask already, {printable(found[stem].name)}")
    return found


def _candidates(folder: Path) -> Iterator[Path]:
    for parent in (folder, folder / FOLDER, mask_folder(folder)):
        for file in sorted(parent.iterdir()) if parent.is_dir() else ():
            named_so = parent != folder or file.stem.endswith(MASK)
            if file.suffix.lower() in SUFFIXES and named_so and not file.name.startswith("."):
                yield file


def _checked(file: Path, picture: Picture, problems: list[str]) -> str | None:
    """The hash of a mask's content, or None and a problem."""
    try:
        content = read(file)
        image = decode_mask(content)
        if image.size != picture.size:
            sizes = [f"{width} x {height}" for width, height in (image.size, picture.size)]
            raise BadPicture(f"is {sizes[0]}, but {picture.key} is {sizes[1]}. Save it in the picture's size")
        if image.getbbox() is None:
            raise BadPicture("is black all over: nothing would be learned. The subject must be white")
    except BadPicture as error:
        problems.append(f"{printable(file.name)}: {error}")
        return None
    return content_hash(content, "black")


def load_mask(mask: Mask) -> Image.Image:
    """White where the subject is. Raises PictureError if the file is not the one listed any more."""
    try:
        content = read(mask.file)
        if content_hash(content, "black") != mask.content:
            raise BadPicture("the file has changed")
        return decode_mask(content)
    except BadPicture as error:
        name = printable(mask.file.name)
        raise PictureError(f"{name}: {error}, since this program started. Start it again.") from error
