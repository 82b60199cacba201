"""Parts that the tiny models of several families share: autoencoders, text encoders and tokenizers of the published
classes, with random weights."""

import string
from collections.abc import Sequence
from typing import Any

from diffusers import AutoencoderKL
from tiny import RARE_WORDS, RESOLUTION, TOKENS, WORDS, byte_letters, merged_pieces
from transformers import (
    CLIPTextConfig,
    CLIPTokenizer,
    GemmaTokenizerFast,
    Qwen2Tokenizer,
    Qwen3Config,
    T5Config,
    T5TokenizerFast,
)

SETTINGS: dict[str, Any] = {  # of every family's source
    "revision": None,
    "variant": None,
    "config": None,
    "prediction": "auto",
    "resolution": RESOLUTION,
    "allow_pickle": False,
    "encoders": {},
    "times": None,
    "distilled": False,
    "training_adapter": None,
    "quantise": None,
    "quantise_parts": None,
}
T5_TOKENS = 32
# As the published template of Qwen 3, but for tools and images: one message after the other; the answer begins, with an
# empty thought where none is wanted.
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for piece in message['content'] %}{{ piece['text'] }}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


def tiny_autoencoder(*, channels: int = 4, scale: float = 0.3611, shift: float = 0.1159) -> AutoencoderKL:
    """As those of transformers: shifted latents, and no convolutions around them. A cell has 4 x 4 pixels."""
    return AutoencoderKL(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=RESOLUTION,
        scaling_factor=scale,
        shift_factor=shift,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def tiny_clip(tokenizer: CLIPTokenizer, *, width: int, act: str = "quick_gelu", **more: Any) -> CLIPTextConfig:
    usual = {
        "num_hidden_layers": 2,
        "projection_dim": 16,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        hidden_act=act,
        pad_token_id=tokenizer.pad_token_id,
        **{**usual, **more},
    )


def tiny_t5(tokenizer: T5TokenizerFast, *, width: int) -> T5Config:
    return T5Config(
        vocab_size=len(tokenizer) + 20,  # as published: more rows than tokens
        d_model=width,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=4,
        feed_forward_proj="gated-gelu",
        is_encoder_decoder=False,
        use_cache=False,
    )


def tiny_t5_tokenizer() -> T5TokenizerFast:
    """WORDS and RARE_WORDS are single tokens; everything else falls into letters."""
    letters = string.ascii_letters + string.digits + string.punctuation
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces = [
        *special,
        *((letter, -4.0) for letter in letters),
        *((f"▁{word}", -1.0) for word in (*WORDS, *RARE_WORDS)),
    ]
    return T5TokenizerFast(vocab=pieces, extra_ids=4, model_max_length=T5_TOKENS)


def tiny_qwen3(tokenizer: Qwen2Tokenizer, *, width: int, layers: int = 3) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=len(tokenizer) + 20,  # as published: more rows than tokens
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=1024,
    )


def tiny_gemma_tokenizer(more: Sequence[str] = ()) -> GemmaTokenizerFast:
    """The words, and the words after a space, are single tokens, and `more` words; everything else falls into
    letters."""
    merges = _merges((*WORDS, *more, *RARE_WORDS), space="▁")
    letters = ["\n", "▁", *string.ascii_letters, *string.digits, *string.punctuation]
    tokens = dict.fromkeys(["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *letters, *(a + b for a, b in merges)])
    return GemmaTokenizerFast(
        vocab={token: index for index, token in enumerate(tokens)},
        merges=merges,
        add_bos_token=True,
        model_max_length=1024,
    )


def tiny_qwen_tokenizer(more: Sequence[str] = ()) -> Qwen2Tokenizer:
    """The words, and the words after a space, are single tokens, and `more` words; everything else falls into bytes."""
    letters = byte_letters()
    merges = _merges((*WORDS, *more, *RARE_WORDS), space="Ġ")
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens = dict.fromkeys([*letters, *(left + right for left, right in merges), *special])
    tokenizer = Qwen2Tokenizer(
        vocab={token: index for index, token in enumerate(tokens)}, merges=merges, model_max_length=1024
    )
    tokenizer.add_special_tokens({"additional_special_tokens": special[1:]})
    tokenizer.chat_template = CHAT
    return tokenizer


def _merges(words: Sequence[str], *, space: str) -> list[tuple[str, str]]:
    """Those that make each word one token, at the beginning of a text and after a space."""
    merges: list[tuple[str, str]] = []
    for word in words:
        for spaced in (word, f"{space}{word}"):
            pieces = merged_pieces(list(spaced), merges)
            while len(pieces) > 1:
                merges.append((pieces[0], pieces[1]))
                pieces = merged_pieces(pieces, merges)
    return merges
