"""What captions tell the denoiser: encoded anew, or kept by caption while no text encoder learns."""

from collections.abc import Sequence

import torch

from imprint.models.base import Model
from imprint.models.conditioning import joined, rows
from imprint.types import Conditioning


def encode_captions(model: Model, captions: Sequence[str]) -> Conditioning:
    """A dropped caption is what the model takes for none."""
    return model.encode_text(captions, empty_is_unconditional=True)


class CaptionCache:
    """Each caption is encoded once, whoever asks, and by itself, so that its last digits depend neither on others in
    the batch that it is first seen in nor on where a run went on. Only right for families that encode alike, and while
    nothing that captions pass through learns."""

    def __init__(self) -> None:
        self._kept: dict[str, Conditioning] = {}

    @torch.no_grad()
    def condition(self, model: Model, captions: Sequence[str]) -> Conditioning:
        for caption in captions:
            if caption not in self._kept:
                self._kept[caption] = rows(encode_captions(model, [caption]), 0)
        return joined([self._kept[caption] for caption in captions])
