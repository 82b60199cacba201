"""Conditioning of a batch: from the text encoder, or kept by caption while the text encoder does not learn."""

from collections.abc import Sequence

import torch

from imprint.families.base import Family
from imprint.types import Conditioning


class CaptionCache:
    """Each caption is encoded once, whoever asks. Only right for families that encode alike, and while nothing that
    captions pass through learns."""

    def __init__(self) -> None:
        self._kept: dict[str, Conditioning] = {}

    @torch.no_grad()
    def condition(self, family: Family, captions: Sequence[str]) -> Conditioning:
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._kept]
        if new:
            encoded = family.condition(new)
            self._kept.update((caption, rows(encoded, index)) for index, caption in enumerate(new))
        return concatenated([self._kept[caption] for caption in captions])


def rows(conditioning: Conditioning, index: int) -> Conditioning:
    return Conditioning(
        conditioning.tokens_BLD[index : index + 1],
        {name: value[index : index + 1] for name, value in conditioning.extras.items()},
    )


def concatenated(parts: Sequence[Conditioning]) -> Conditioning:
    return Conditioning(
        torch.cat([part.tokens_BLD for part in parts]),
        {name: torch.cat([part.extras[name] for part in parts]) for name in parts[0].extras},
    )
