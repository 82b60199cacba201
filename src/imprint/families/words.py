"""Words that a model is to learn: what their tokens are called, and which can be new."""

import copy
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def tokens_of(word: str, vectors: int) -> list[str]:
    """One token a vector, named as diffusers names them: there `word` in a prompt then stands for all of them."""
    return [word, *(f"{word}_{index}" for index in range(1, vectors))]


def why_not_new(tokenizer: "PreTrainedTokenizerBase", word: str, vectors: int) -> str | None:
    """What keeps `word` from becoming a new word of as many vectors, if anything does."""
    if len(word.split()) != 1:
        return "it is not one word."
    vocabulary = tokenizer.get_vocab()
    known = [token for token in tokens_of(word, vectors) if token in vocabulary or is_token(tokenizer, token)]
    if known:
        return f"the model knows {' and '.join(known)} already."
    if not _is_found_again(tokenizer, len(tokenizer), word, vectors):
        # In prompts the library would then find the first of its vectors only, and say nothing.
        return "the model's tokenizer writes it in another way."
    return None


@lru_cache(maxsize=16)
def _is_found_again(tokenizer: "PreTrainedTokenizerBase", size: int, word: str, vectors: int) -> bool:
    """Whether the tokenizer would find the word in prompts if it learned it. Its `size` tells one that has learned
    others since: nothing else of it changes. Asked often, and a copy of a whole vocabulary takes its time."""
    extended = copy.deepcopy(tokenizer)
    extended.add_tokens(tokens_of(word, vectors))
    return word in extended.tokenize(f"a {word} b")


def is_token(tokenizer: "PreTrainedTokenizerBase", word: str) -> bool:
    """Whether the model has one token for the word."""
    return len(tokenizer(word, add_special_tokens=False).input_ids) == 1
