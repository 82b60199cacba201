"""A set of pictures: what is known of each, and their pixels on demand."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image, ImageColor

from imprint.data.decoding import BadPicture, decode, read
from imprint.errors import PictureError

if TYPE_CHECKING:
    from torch import Tensor

# Where a picture's bytes are: in a file, or what a call returns. The call may raise BadPicture.
Source = Path | Callable[[], bytes]

# Per process that loads pictures. A picture of 512 x 512 takes 0.8 MB, so this holds some 300 of them.
CACHE_BYTES = 256 * 2**20


class Mask(NamedTuple):
    """Which pixels of a picture are the subject. All others count `outside` as much."""

    content: str  # hash of the file's bytes
    file: Path
    outside: float


class Picture(NamedTuple):
    """One picture. `caption` is its own, if it has one that is to be used."""

    key: str  # its name in the set, safe to print
    caption: str | None
    content: str  # hash of what its pixels come from: the file's bytes and the background
    size: tuple[int, int]  # width and height, upright
    mask: Mask | None = None


class PictureSet:
    """Pictures in a fixed order. Can be pickled; holds no pixels."""

    def __init__(self, pictures: Sequence[Picture], sources: Sequence[Source], *, background: str) -> None:
        assert len(pictures) == len(sources) > 0
        self.pictures = tuple(pictures)
        self.background = background
        self._sources = tuple(sources)

    @property
    def sources(self) -> tuple[Source, ...]:
        return self._sources

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(self.pictures)

    def captioned(self, fill: Callable[[str], str]) -> "PictureSet":
        """The same pictures, their own captions passed through `fill`."""
        return self.replaced(
            [picture._replace(caption=picture.caption and fill(picture.caption)) for picture in self.pictures]
        )

    def under(self, name: str) -> "PictureSet":
        """The same pictures, their keys below `name`."""
        return self.replaced([picture._replace(key=f"{name}/{picture.key}") for picture in self.pictures])

    def replaced(self, pictures: Sequence[Picture]) -> "PictureSet":
        """The same files, with these things said of them."""
        return PictureSet(pictures, self._sources, background=self.background)

    def subset(self, indices: Sequence[int]) -> "PictureSet":
        """These of the pictures, in the order given."""
        chosen = [self.pictures[index] for index in indices]
        return PictureSet(chosen, [self._sources[index] for index in indices], background=self.background)

    def load(self, index: int) -> Image.Image:
        """Upright, RGB, without metadata. Raises PictureError if the file is not the one listed any more."""
        picture, source = self.pictures[index], self._sources[index]
        try:
            content = bytes_of(source)
            if content_hash(content, self.background) != picture.content:
                raise BadPicture("the file has changed")
            return decode(content, self.background)
        except BadPicture as error:
            raise PictureError(f"{picture.key}: {error}, since this program started. Start it again.") from error


class PixelCache:
    """A least recently used cache of decoded pictures: tensors by key, at most `limit` bytes of them.

    Its content is no part of a pickle: another process begins with an empty one.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self.limit = limit
        self._held: OrderedDict[Hashable, Tensor] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: "Callable[[], Tensor]") -> "Tensor":
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        made = self._held[key] = make()
        self._bytes += made.nbytes
        while self._bytes > self.limit:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": OrderedDict(), "_bytes": 0}


def fingerprint_of(pictures: Sequence[Picture]) -> str:
    """Of all that these pictures bring into a result; not of where they lie or how they are called."""
    facts = [(picture.content, picture.caption, *_mask_facts(picture)) for picture in pictures]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _mask_facts(picture: Picture) -> tuple[str, float] | tuple[()]:
    return (picture.mask.content, picture.mask.outside) if picture.mask else ()


def bytes_of(source: Source) -> bytes:
    """Raises BadPicture."""
    return read(source) if isinstance(source, Path) else source()


def content_hash(content: bytes, background: str) -> str:
    """Equal exactly where the decoded pixels come from the same bytes on the same background."""
    colour = bytes(ImageColor.getrgb(background)[:3])
    return hashlib.blake2b(content, key=colour, digest_size=16).hexdigest()
