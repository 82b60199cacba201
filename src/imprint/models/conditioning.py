"""Captions as tokens, and what denoisers are conditioned on, taken apart to be cached by caption and joined again."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from imprint import messages
from imprint.libraries.diffusers import with_all_vectors
from imprint.models.words import Vocabulary
from imprint.types import Conditioning

log = logging.getLogger(__name__)

MASK = "_mask"


class Captions:
    """Captions as token ids, cached until words are added to the tokenizer. One with more tokens than the text encoder
    takes is truncated, as is usual with such models, with a warning that names it."""

    def __init__(
        self, vocabulary: Vocabulary, *, wrapped: Callable[[Any, str], str] | None, padded: bool, special: bool
    ) -> None:
        """`wrapped`, `padded` and `special`: see `TokenizerPart`."""
        self._tokenizer = vocabulary.tokenizer
        self._wrapped = wrapped
        self._padded = padded
        self._special = special
        positions = getattr(vocabulary.encoder.config, "max_position_embeddings", None)  # None: they are relative
        self._length = min(self._tokenizer.model_max_length, positions or self._tokenizer.model_max_length)
        # by caption, whether it is bare, and size of the vocabulary
        self._cache: dict[tuple[str, bool, int], tuple[Tensor, Tensor]] = {}

    def limit(self, count: int) -> None:
        """Reads at most as many tokens."""
        self._length = min(self._length, count)
        self._cache.clear()

    def tokens(self, captions: Sequence[str], *, bare: Sequence[bool] | None = None) -> tuple[Tensor, Tensor]:
        """ids_BL, and mask_BL: 1 where they are the caption's, 0 where they are padding. `bare`: which of them are not
        wrapped."""
        ids, masks = zip(*map(self._tokens, captions, bare or [False] * len(captions)), strict=True)
        padding: int = self._tokenizer.pad_token_id or 0
        ids_BL = pad_sequence(list(ids), batch_first=True, padding_value=padding)
        return ids_BL, pad_sequence(list(masks), batch_first=True)

    def _tokens(self, caption: str, bare: bool) -> tuple[Tensor, Tensor]:
        key = (caption, bare, len(self._tokenizer))
        if key not in self._cache:
            self._cache[key] = self._read(caption, bare)
        return self._cache[key]

    def _read(self, caption: str, bare: bool) -> tuple[Tensor, Tensor]:
        # a word that was learned with several vectors stands for as many tokens
        whole = with_all_vectors(caption, self._tokenizer)
        if self._wrapped is not None and not bare:
            whole = self._wrapped(self._tokenizer, whole)
        read = self._tokenizer(
            whole,
            padding="max_length" if self._padded else False,
            max_length=self._length,
            truncation=True,
            add_special_tokens=self._special,
            return_tensors="pt",
        )
        every: list[int] = self._tokenizer(whole, verbose=False, add_special_tokens=self._special).input_ids
        if len(every) > self._length:
            self._warn(caption, every, read.input_ids[0].tolist())
        return read.input_ids[0], read.attention_mask[0]

    def _warn(self, caption: str, every: Sequence[int], kept: Sequence[int]) -> None:
        """Of what is cut away; a mark at the end, where the tokenizer sets one, stays."""
        end = int(every[-1] == kept[-1] and every[-1] in self._tokenizer.all_special_ids)
        lost = self._tokenizer.decode(every[len(kept) - end : len(every) - end], skip_special_tokens=True).strip()
        log.warning(
            "This caption has %d tokens and is cut to %d, without %s at its end: %s",
            len(every),
            len(kept),
            messages.value(_within(caption, lost)) if lost else "marks of the chat",
            messages.value(caption),
        )


def _within(caption: str, lost: str) -> str:
    """What is lost of a caption, without the chat that may follow it."""
    ends = (lost[:length].rstrip() for length in range(len(lost), 0, -1))
    return next((end for end in ends if caption.rstrip().casefold().endswith(end.casefold())), lost)


def rows(conditioning: Conditioning, index: int) -> Conditioning:
    """One sample's, without padding."""
    own = {name: value[index : index + 1] for name, value in conditioning.items()}
    for name in conditioning:
        if (mask := own.get(f"{name}{MASK}")) is not None:
            own[name], own[f"{name}{MASK}"] = own[name][:, mask[0]], mask[:, mask[0]]
    return own


def joined(parts: Sequence[Conditioning]) -> Conditioning:
    """A batch of several parts, in their order. Texts are padded to the longest; padding has a false mask."""
    together: dict[str, Tensor] = {}
    for name in parts[0]:
        values = [part[name] for part in parts]
        if name.endswith(MASK) or f"{name}{MASK}" in parts[0]:
            longest = max(value.shape[1] for value in values)
            values = [_padded(value, longest) for value in values]
        together[name] = torch.cat(values)
    return together


def _padded(value: Tensor, length: int) -> Tensor:
    missing = length - value.shape[1]
    return functional.pad(value, (*(0, 0) * (value.ndim - 2), 0, missing)) if missing else value
