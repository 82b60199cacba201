"""Tokenizers of the published classes, made of letters. Texts are padded, so words cost the same."""

from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTokenizer, Qwen2Tokenizer, T5TokenizerFast

CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokenizer(tokens: int, *, pad: str | None = None) -> CLIPTokenizer:
    """CLIP's: a vocabulary of letters, and of one word, for a learned word to begin at."""
    letters = sorted(ByteLevel.alphabet())
    ends = [letter + "</w>" for letter in letters]
    vocabulary = [*letters, *ends, "do", "dog</w>", "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(vocabulary)},
        merges=[("d", "o"), ("do", "g</w>")],
        model_max_length=tokens,
        **({"pad_token": pad} if pad else {}),
    )


def letter_tokenizer(tokens: int) -> T5TokenizerFast:
    """T5's."""
    letters = [chr(code) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *((letter, -4.0) for letter in letters)]
    return T5TokenizerFast(vocab=pieces, extra_ids=4, model_max_length=tokens)


def chat_tokenizer(tokens: int) -> Qwen2Tokenizer:
    """Qwen's, with a chat's turns."""
    letters = sorted(ByteLevel.alphabet())
    merges = [("d", "o"), ("do", "g")]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    vocabulary = [*letters, *(left + right for left, right in merges), *special]
    tokenizer = Qwen2Tokenizer(
        vocab={token: index for index, token in enumerate(vocabulary)}, merges=merges, model_max_length=tokens
    )
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    tokenizer.chat_template = CHAT
    return tokenizer
