"""Words that a model is to learn: what their tokens are called, and which can be new."""

import copy
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
    extended = copy.deepcopy(tokenizer)
    extended.add_tokens(tokens_of(word, vectors))
    if word not in extended.tokenize(f"a {word} b"):
        # In prompts the library would then find the first of its vectors only, and say nothing.
        return "the model's tokenizer writes it in another way."
    return None


def is_token(tokenizer: "PreTrainedTokenizerBase", word: str) -> bool:
    """Whether the model has one token for the word."""
    return len(tokenizer(word, add_special_tokens=False).input_ids) == 1
