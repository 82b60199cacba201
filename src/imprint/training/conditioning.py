"""Conditioning of a batch: from the text encoder, or kept by caption while the text encoder does not learn."""

from collections.abc import Sequence

import torch

from imprint.families.base import Family
from imprint.types import Conditioning


class CaptionCache:
    """Each caption is encoded once, whoever asks, and by itself, so that its last digits depend neither on others in
    the batch that it is first seen in nor on where a run went on. Only right for families that encode alike, and while
    nothing that captions pass through learns."""

    def __init__(self) -> None:
        self._kept: dict[str, Conditioning] = {}

    @torch.no_grad()
    def condition(self, family: Family, captions: Sequence[str]) -> Conditioning:
        for caption in captions:
            if caption not in self._kept:
                self._kept[caption] = family.condition([caption])
        return concatenated([self._kept[caption] for caption in captions])


def concatenated(parts: Sequence[Conditioning]) -> Conditioning:
    return Conditioning(
        torch.cat([part.tokens_BLD for part in parts]),
        {name: torch.cat([part.extras[name] for part in parts]) for name in parts[0].extras},
    )
