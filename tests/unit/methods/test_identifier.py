from collections.abc import Callable
from typing import Any

import pytest
from tiny import tiny_tokenizer
from tiny_parts import tiny_qwen_tokenizer, tiny_t5_tokenizer
from transformers import CLIPTokenizer

from imprint.errors import UserError
from imprint.methods.identifier import choose_identifier, rare_identifiers


def test_the_rarest_single_token_is_chosen_every_time() -> None:
    tokenizer = tiny_tokenizer()
    words = list(rare_identifiers(tokenizer))
    ids = [tokenizer(word, add_special_tokens=False).input_ids for word in words]
    assert all(len(tokens) == 1 for tokens in ids)
    assert ids == sorted(ids, reverse=True)
    assert choose_identifier(tokenizer, ()) == words[0] == choose_identifier(tiny_tokenizer(), ())


@pytest.mark.parametrize("made", [tiny_tokenizer, tiny_t5_tokenizer, tiny_qwen_tokenizer])
def test_whole_words_are_found_in_every_kind_of_vocabulary(made: Callable[[], Any]) -> None:
    """Which mark a word's end, or the space before it; a space alone may be a token, too."""
    tokenizer = made()
    word = choose_identifier(tokenizer, ())
    without, with_it = (len(tokenizer(text).input_ids) for text in ("a dog", f"a {word} dog"))
    assert with_it == without + 1


def test_words_that_could_mean_something_are_left_out() -> None:
    assert not {"dog", "cat", "a", "the"} & set(rare_identifiers(tiny_tokenizer()))


def test_a_vocabulary_without_such_words_asks_for_one() -> None:
    letters = {letter: index for index, letter in enumerate(["a", "b</w>", "<|startoftext|>", "<|endoftext|>"])}
    with pytest.raises(UserError, match="dataset.identifier"):
        choose_identifier(CLIPTokenizer(vocab=letters, merges=[]), ())
