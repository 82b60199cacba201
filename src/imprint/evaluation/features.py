"""Features of pictures and texts: each is computed once, and then read from memory or from the cache on disk."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import torch
from PIL import Image
from torch import Tensor

from imprint.errors import UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.feature_cache import FeatureCache
from imprint.evaluation.records import Needs, Photo, Picture, Question, Shot, Side
from imprint.locations import cache_folder

Item = TypeVar("Item")


class FeatureStore:
    """The features of all encoders, by role; cached in memory and on disk by the encoder's fingerprint and the content.

    Layers are large and not cached; patches are where they are asked to be, on disk alone.
    """

    def __init__(self, *, encoders: Mapping[str, Encoder], batch_size: int, device: torch.device | str) -> None:
        assert batch_size > 0
        self.encoders = dict(encoders)
        self.batch_size = batch_size
        self.device = torch.device(device)
        self._in_memory: dict[tuple[str, Side, str], Tensor] = {}  # (encoder's fingerprint, side, content)
        self._caches: dict[str, FeatureCache] = {}

    def check(self, needs: Mapping[str, Needs], key: str) -> None:
        """Checks that every metric's encoders are there and offer what it needs; only these are downloaded.

        `needs` is by metric, `key` is the encoders' place in the user's configuration. Raises UserError with all
        problems, before expensive work.
        """
        problems: list[str] = []
        for metric, wanted in needs.items():
            for role in wanted.encoders:
                problems += self._problems(metric, role, wanted.sides, f"{key}.{role}")
        for role in sorted({role for wanted in needs.values() for role in wanted.encoders} & self.encoders.keys()):
            try:
                self.encoders[role].check(f"{key}.{role}")
            except UserError as error:
                problems.append(str(error))
        if problems:
            raise UserError("\n".join(problems))

    def images(self, role: str, pictures: Sequence[Picture]) -> Tensor:
        encoder = self._encoder(role)

        def encode(batch: Sequence[Picture]) -> Tensor:
            return encoder.images([_loaded(picture) for picture in batch])

        return self._features(encoder, "images", [(picture.content, picture) for picture in pictures], encode)

    def texts(self, role: str, texts: Sequence[str]) -> Tensor:
        encoder = self._encoder(role)
        named = [(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), text) for text in texts]
        return self._features(encoder, "texts", named, encoder.texts)

    def layers(self, role: str, pictures: Sequence[Picture]) -> list[Tensor]:
        encoder = self._encoder(role)
        depths: list[tuple[Tensor, ...]] = []
        for batch in _batches(pictures, self.batch_size):
            found = encoder.layers([_loaded(picture) for picture in batch])
            for depth_NLD in found:
                _check_finite(depth_NLD, [_name(picture) for picture in batch], encoder)
            depths.append(tuple(found))
        return [torch.cat(parts) for parts in zip(*depths, strict=True)]

    def patches(self, role: str, pictures: Sequence[Picture], *, kept: bool = False) -> Tensor:
        """`kept` on disk: of pictures that will be seen again."""
        encoder = self._encoder(role)
        found = []
        for batch in _batches(pictures, self.batch_size):
            contents = [picture.content for picture in batch]
            known = self._cache(encoder.fingerprint).read("patches", contents) if kept else {}
            if missing := [picture for picture in batch if picture.content not in known]:
                features_BHWD = encoder.patches([_loaded(picture) for picture in missing])
                _check_finite(features_BHWD, [_name(picture) for picture in missing], encoder)
                new = dict(zip([picture.content for picture in missing], features_BHWD, strict=True))
                if kept:
                    self._cache(encoder.fingerprint).write("patches", new)
                known |= new
            found.append(torch.stack([known[content] for content in contents]))
        return torch.cat(found)

    def answers(self, role: str, pictures: Sequence[Picture], questions: Sequence[Question]) -> Tensor:
        encoder = self._encoder(role)

        def answer(batch: Sequence[tuple[Picture, Question]]) -> Tensor:
            shown, asked = zip(*batch, strict=True)
            return encoder.answers([_loaded(picture) for picture in shown], asked)[:, None]

        pairs = list(zip(pictures, questions, strict=True))
        named = [
            (hashlib.sha256(json.dumps([one.content, *asked]).encode()).hexdigest(), (one, asked))
            for one, asked in pairs
        ]
        return self._features(encoder, "answers", named, answer)[:, 0]

    def _features(
        self,
        encoder: Encoder,
        side: Side,
        items: Sequence[tuple[str, Item]],
        encode: Callable[[Sequence[Item]], Tensor],
    ) -> Tensor:
        """Of every item (content, itself), in order."""
        assert items and all(content for content, _ in items)
        fingerprint = encoder.fingerprint
        unknown = {content: item for content, item in items if (fingerprint, side, content) not in self._in_memory}
        if unknown:
            cache = self._cache(fingerprint)
            cached = cache.read(side, list(unknown))
            self._keep(fingerprint, side, cached)
            missing = [(content, item) for content, item in unknown.items() if content not in cached]
            for batch in _batches(missing, self.batch_size):
                contents, encoded = zip(*batch, strict=True)
                features_ND = encode(encoded)
                _check_finite(features_ND, [_name(item) for item in encoded], encoder)
                found = dict(zip(contents, features_ND, strict=True))
                self._keep(fingerprint, side, found)
                cache.write(side, found)
        return torch.stack([self._in_memory[fingerprint, side, content] for content, _ in items])

    def _keep(self, fingerprint: str, side: Side, features: Mapping[str, Tensor]) -> None:
        self._in_memory.update({(fingerprint, side, content): feature for content, feature in features.items()})

    def _cache(self, fingerprint: str) -> FeatureCache:
        file = cache_folder() / "features" / f"{fingerprint}.sqlite"
        return self._caches.setdefault(fingerprint, FeatureCache(file))

    def _encoder(self, role: str) -> Encoder:
        encoder = self.encoders[role]
        if encoder.device != self.device:
            encoder.to(self.device)
        return encoder

    def _problems(self, metric: str, role: str, sides: Iterable[Side], key: str) -> list[str]:
        if role not in self.encoders:
            there = ", ".join(sorted(self.encoders)) or "none"
            return [f"{metric} needs the encoder {role!r}, and there is {there}. Give {key}=..."]
        encoder = self.encoders[role]
        missing = [side for side in sides if side not in encoder.sides]
        return [
            f"{key}: {metric} needs {side}, which {encoder.name} has not. Give another encoder." for side in missing
        ]


def _batches(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _check_finite(features: Tensor, names: Sequence[str], encoder: Encoder) -> None:
    wrong = [name for name, feature in zip(names, features, strict=True) if not feature.isfinite().all()]
    if wrong:
        raise UserError(
            f"{encoder.name} makes no finite number of {', '.join(wrong)}. If it does so of every picture, its weights "
            "are damaged: get them again; else leave the picture out."
        )


def _loaded(picture: Picture) -> Image.Image:
    try:
        return picture.load()
    except OSError as error:
        raise UserError(f"{_name(picture)} cannot be read ({error}). Draw or copy it again.") from error


def _name(item: object) -> str:
    """For messages."""
    if isinstance(item, Shot):
        return str(item.file)
    if type(item) is tuple:  # a picture, and a question about it
        return _name(item[0])
    return item.key if isinstance(item, Photo) else str(item)
