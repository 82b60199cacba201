"""The pictures of a training as its first steps see them, and what is to be known of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from PIL import Image, ImageDraw

from imprint.data.framing import Framing, View
from imprint.data.holdout import copies
from imprint.data.pictures import Picture, PictureSet
from imprint.data.stream import TrainingStream
from imprint.planning.assemble import stream_of
from imprint.planning.opt_out import reasons_against
from imprint.planning.parts import Plan, framing_of
from imprint.reporting.thumbnails import data_uri

SIDE = 220  # pixels of a whole picture on the page
MUCH = 0.25  # of a picture that is cut away
DIM = 0.35  # what counts less is darker
PATIENCE = 4  # rounds of all pictures in which the views of each are looked for


class Seen(NamedTuple):
    """A picture as one sample sees it."""

    image: str  # a data URI
    caption: str


class SeenPicture(NamedTuple):
    name: str
    size: tuple[int, int]
    whole: str  # a data URI, with the frame
    views: list[Seen]
    remarks: list[str]
    is_trained: bool


@dataclass(frozen=True, kw_only=True)
class SeenSubject:
    name: str
    identifier: str
    noun: str
    pictures: list[SeenPicture]
    left_out: int  # that are not shown

    @property
    def summary(self) -> str:
        trained = sum(picture.is_trained for picture in self.pictures) + self.left_out
        held = len(self.pictures) + self.left_out - trained
        marked = sum(bool(picture.remarks) for picture in self.pictures)
        parts = [f"{trained} pictures of {self.identifier} {self.noun}"]
        parts += [f"{held} held out"] if held else []
        parts += [f"{marked} with a remark"] if marked else []
        return f"{self.name}: {', '.join(parts)}." if self.name else f"{', '.join(parts)}."


def seen(plan: Plan, *, views: int, most: int) -> Iterator[SeenSubject]:
    stream = stream_of(plan, [None] * len(plan.subjects))
    found = _views(plan, stream, views)
    for subject in plan.subjects:
        framing = framing_of(subject.dataset, plan.facts)
        held_out = subject.dataset.held_out()
        parts = [(subject.pictures, True), *([(held_out, False)] if held_out else [])]
        shown = [
            _seen_picture(part, index, framing, found.get(part.pictures[index].content, []), is_trained)
            for part, is_trained in parts
            for index in range(min(most, len(part)))
        ]
        remarks = _of_several(subject.pictures)
        yield SeenSubject(
            name=subject.concept.name,
            identifier=subject.concept.identifier,
            noun=subject.concept.noun,
            pictures=[one._replace(remarks=[*one.remarks, *remarks.get(one.name, [])]) for one in shown],
            left_out=max(0, len(subject.pictures) - most),
        )


def _views(plan: Plan, stream: TrainingStream, count: int) -> dict[str, list[Seen]]:
    """By the picture's content, the first different samples of it."""
    pictures = sum(len(subject.pictures) for subject in plan.subjects)
    found: dict[str, dict[str, Seen]] = {}
    for position in range(pictures * count * PATIENCE):
        for sample in stream[position]:
            content = sample.key.partition("/")[0]
            own = found.setdefault(content, {})
            if len(own) < count and f"{sample.key} {sample.caption}" not in own:
                assert sample.pixels_CHW is not None
                image = _image(sample.pixels_CHW, sample.weights_HW)
                own[f"{sample.key} {sample.caption}"] = Seen(data_uri(image), sample.caption or "(no caption)")
        if len(found) == pictures and all(len(own) == count for own in found.values()):
            break
    return {content: list(own.values()) for content, own in found.items()}


def _image(pixels_CHW: torch.Tensor, weights_HW: torch.Tensor | None) -> Image.Image:
    """What counts less in the loss is darker."""
    levels = pixels_CHW.add(1).div(2)
    if weights_HW is not None:
        levels = levels * (DIM + (1 - DIM) * weights_HW / weights_HW.max())
    return Image.fromarray(levels.mul(255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy())


def _seen_picture(part: PictureSet, index: int, framing: Framing, views: list[Seen], is_trained: bool) -> SeenPicture:
    picture, image = part.pictures[index], part.load(index)
    remarks = list(_remarks(picture, framing)) if is_trained else []
    whole = image.copy()
    if framing.crop != "random":
        _draw_frame(whole, _corners(picture, framing))
    whole.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return SeenPicture(picture.key, picture.size, data_uri(whole), views, remarks, is_trained)


def _corners(picture: Picture, framing: Framing) -> tuple[float, float, float, float]:
    """Of the part that is seen, in the picture's own pixels."""
    geometry = View(picture, framing.frame_of(picture.size), 0.5, False).geometry
    width, height = picture.size
    scale = max(geometry.target[0] / height, geometry.target[1] / width)
    top, left = (corner / scale for corner in geometry.crop)
    return left, top, min(width, left + geometry.target[1] / scale), min(height, top + geometry.target[0] / scale)


def _draw_frame(image: Image.Image, corners: tuple[float, float, float, float]) -> None:
    """White on black, to be seen on any picture."""
    line = max(1, max(image.size) // 150)
    draw = ImageDraw.Draw(image)
    for colour, width in (("black", 3 * line), ("white", line)):
        inset = (3 * line - width) / 2
        left, top, right, bottom = corners
        draw.rectangle((left + inset, top + inset, right - 1 - inset, bottom - 1 - inset), outline=colour, width=width)


def _remarks(picture: Picture, framing: Framing) -> Iterator[str]:
    width, height = picture.size
    frame = framing.frame_of(picture.size)
    scale = max(frame.width / width, frame.height / height)
    if scale > 1:
        yield f"enlarged {scale:.1f} times: smaller than it is trained at"
    left, top, right, bottom = _corners(picture, framing)
    cut = 1 - (right - left) * (bottom - top) / (width * height)
    if cut >= MUCH:
        yield f"{cut:.0%} of it is never seen" if framing.crop != "random" else f"{cut:.0%} of it is cut away each time"


def _of_several(pictures: PictureSet) -> dict[str, list[str]]:
    """What is known of pictures together: copies of one another, and what their metadata says."""
    found: dict[str, list[str]] = {}
    for group in copies(pictures):
        names = [pictures.pictures[index].key for index in group]
        for name in names if len(names) > 1 else ():
            found.setdefault(name, []).append(f"a copy of {', '.join(other for other in names if other != name)}")
    for name, reasons in reasons_against(pictures):
        found.setdefault(name, []).append(f"its metadata says: {', '.join(reasons)}")
    return found
