"""From files, or other candidates, to a set of pictures: each is tried once, and one message says all that is wrong."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from imprint.data.captions import Captions, CaptionSource, read_captions
from imprint.data.decoding import BadPicture, decode
from imprint.data.listing import list_pictures, printable
from imprint.data.pictures import Picture, PictureSet, Source, bytes_of, content_hash
from imprint.errors import PictureError
from imprint.locations import locate

log = logging.getLogger(__name__)

BadPictures = Literal["strict", "skip"]


class Candidate(NamedTuple):
    """What may be a picture. `key` is safe to print."""

    key: str
    source: Source
    caption: str | None


def gather(
    candidates: Iterable[Candidate],
    *,
    place: str,
    background: str,
    bad_pictures: BadPictures,
    caption_problems: Sequence[str],
) -> PictureSet:
    """The usable candidates, in their order. `place` names them in messages.

    Raises PictureError, naming every problem, if a caption is unusable, or a picture (strict), or all (skip).
    """
    pictures: list[Picture] = []
    sources: list[Source] = []
    unusable: list[str] = []
    for key, source, caption in candidates:
        try:
            content = bytes_of(source)
            size = decode(content, background).size
        except BadPicture as error:
            unusable.append(f"{key}: {error}")
        else:
            pictures.append(Picture(key, caption, content_hash(content, background), size))
            sources.append(source)
    if caption_problems or (unusable and (bad_pictures == "strict" or not pictures)):
        raise PictureError(_message(place, unusable, caption_problems, all_bad=not pictures))
    if unusable:
        log.warning("%s: these pictures are left out:\n%s", place, _listed(unusable))
    _warn_of_duplicates(place, pictures)
    return PictureSet(pictures, sources, background=background)


def open_folder(
    path: str,
    *,
    key: str,
    bad_pictures: BadPictures,
    background: str,
    captions: CaptionSource = "template",
) -> PictureSet:
    """The pictures of a folder; `key` names the setting that `path` comes from."""
    folder = locate(path)
    files = list_pictures(folder, key=key)
    own = read_captions(folder, [file.name for file in files]) if captions != "template" else Captions({}, [])
    return gather(
        [Candidate(printable(file.name), file, own.by_name.get(file.name)) for file in files],
        place=f"{key}={printable(path)}",
        background=background,
        bad_pictures=bad_pictures,
        caption_problems=own.problems,
    )


def open_files(files: Sequence[Path]) -> PictureSet:
    """Opaque pictures that this program wrote itself just now, in the order given. Raises PictureError where they were
    deleted or damaged since."""
    try:
        return gather(
            [Candidate(printable(file.name), file, None) for file in files],
            place=printable(files[0].parent),
            background="white",
            bad_pictures="strict",
            caption_problems=[],
        )
    except PictureError as error:
        raise PictureError(
            f"{printable(files[0].parent)}: pictures that were drawn there were deleted or changed meanwhile. Give the "
            "same command again: it draws them anew."
        ) from error


def _message(place: str, unusable: Sequence[str], caption_problems: Sequence[str], *, all_bad: bool) -> str:
    parts = []
    if unusable:
        remedy = "Replace or remove them." if all_bad else "Replace or remove them, or set bad_pictures=skip."
        title = "none of the pictures can be used" if all_bad else "these pictures cannot be used"
        parts.append(f"{place}: {title}:\n{_listed(unusable)}\n{remedy}")
    if caption_problems:
        parts.append(
            f"{place}: these captions cannot be used:\n{_listed(caption_problems)}\n"
            "Mend them, or set captions=template to do without them."
        )
    return "\n".join(parts)


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"  - {line}" for line in lines)


def _warn_of_duplicates(place: str, pictures: Sequence[Picture]) -> None:
    groups: dict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        groups[picture.content].append(picture.key)
    same = [" = ".join(keys) for keys in groups.values() if len(keys) > 1]
    if same:
        log.warning("%s: the same picture more than once counts more than once:\n%s", place, _listed(same))
