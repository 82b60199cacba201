"""A word for the subject that the model knows as a single token, and knows next to nothing about."""

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from imprint.errors import UserError
from imprint.models.words import is_token

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# How vocabularies mark the tokens that are a whole word within a text: by its end, or by the space before it.
WORD_END = "</w>"
WORD_STARTS = ("Ġ", "▁")  # of bytes, of sentence pieces
# A vowel makes a word that may mean something; three consonants seldom do.
UNPRONOUNCEABLE = re.compile(r"[bcdfghjklmnpqrstvwxz]{3}")


def rare_identifiers(tokenizer: "PreTrainedTokenizerBase") -> Iterator[str]:
    """Single-token words of at most three letters, rarest first.

    This is the recipe of DreamBooth (arXiv 2208.12242, section 3.2) for a byte-pair vocabulary: such a vocabulary is
    built from the most frequent pair to the least, so the highest ids are the rarest words; sentence pieces are sorted
    alike. Depends on the vocabulary alone, so the same model always yields the same words.
    """
    vocabulary = tokenizer.get_vocab()
    for token, _ in sorted(vocabulary.items(), key=lambda entry: -entry[1]):
        word = _whole_word(token)
        if word and UNPRONOUNCEABLE.fullmatch(word) and is_token(tokenizer, f" {word}"):
            yield word


def choose_identifier(tokenizer: "PreTrainedTokenizerBase", taken: Collection[str]) -> str:
    """The rarest of them that is not taken."""
    for word in rare_identifiers(tokenizer):
        if word not in taken:
            return word
    another = "other " if taken else ""
    raise UserError(
        f"dataset.identifier='auto': this model's vocabulary has no {another}three-consonant word that is one token. "
        "Give one, for instance dataset.identifier=sks."
    )


def _whole_word(token: str) -> str | None:
    if token.endswith(WORD_END):
        return token.removesuffix(WORD_END)
    return token[1:] if token.startswith(WORD_STARTS) else None
