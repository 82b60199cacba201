"""Captions as a text encoder is given them."""

import logging
from collections.abc import Sequence

import torch
from torch import Tensor

from imprint.libraries.diffusers import with_all_vectors
from imprint.models.words import Vocabulary

log = logging.getLogger(__name__)


class Captions:
    """Each is made tokens once for as long as the tokenizer learns no words. One that has more tokens than the text
    encoder takes is cut, as everywhere with such models, and named in a warning."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._tokenizer = vocabulary.tokenizer
        self._length = min(self._tokenizer.model_max_length, vocabulary.encoder.config.max_position_embeddings)
        self._known: dict[tuple[str, int], tuple[Tensor, Tensor]] = {}  # by caption and size of the vocabulary

    def tokens(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """ids_BL, and 1 where they are the caption's, 0 where they fill it up."""
        ids, masks = zip(*map(self._tokens, captions), strict=True)
        return torch.stack(ids), torch.stack(masks)

    def _tokens(self, caption: str) -> tuple[Tensor, Tensor]:
        key = (caption, len(self._tokenizer))
        if key not in self._known:
            self._known[key] = self._read(caption)
        return self._known[key]

    def _read(self, caption: str) -> tuple[Tensor, Tensor]:
        # words that several vectors were learned for stand for as many tokens
        whole = with_all_vectors(caption, self._tokenizer)
        if (count := len(self._tokenizer(whole, verbose=False).input_ids)) > self._length:
            log.warning("This caption has %d tokens and is cut to %d: %s", count, self._length, caption)
        read = self._tokenizer(
            whole, padding="max_length", max_length=self._length, truncation=True, return_tensors="pt"
        )
        return read.input_ids[0], read.attention_mask[0]
