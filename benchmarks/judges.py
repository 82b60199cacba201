"""What judges pictures: the miniature's own encoders, or networks of the usual sizes with random weights."""

from pathlib import Path
from typing import NamedTuple

import torch
from models import byte_tokenizer
from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTModel


class Judge(NamedTuple):
    """A vision transformer; `text` is the width of CLIP's text encoder, which has as many layers."""

    width: int
    heads: int
    layers: int
    patch: int
    pixels: int
    text: int = 0


CLIP_B32 = Judge(width=768, heads=12, layers=12, patch=32, pixels=224, text=512)
DINO_S16 = Judge(width=384, heads=6, layers=12, patch=16, pixels=224)
TINY = Judge(width=16, heads=2, layers=1, patch=8, pixels=16, text=16)
TOKENS = 77


def encoders(size: str, folder: Path) -> list[str]:
    """Overrides of `imprint evaluate`."""
    if size == "mini":
        return ["encoders=mini"]
    clip, dino = (TINY, TINY) if size == "tiny" else (CLIP_B32, DINO_S16)
    if not folder.is_dir():
        torch.manual_seed(0)
        _clip(clip).save_pretrained(folder / "clip")
        byte_tokenizer(TOKENS).save_pretrained(folder / "clip")
        ViTModel(ViTConfig(**_sides(dino)), add_pooling_layer=False).save_pretrained(folder / "dino")
    sized = {"clip": clip, "dino": dino}
    resized = {"clip": clip.pixels, "dino": dino.pixels * 8 // 7}  # as their official transforms have it
    return [
        override
        for role, judge in sized.items()
        for override in (
            f"evaluation.encoders.{role}.source={folder / role}",
            f"evaluation.encoders.{role}.transform.resize={resized[role]}",
            f"evaluation.encoders.{role}.transform.crop={judge.pixels}",
        )
    ]


def _sides(judge: Judge) -> dict[str, int]:
    return {
        "hidden_size": judge.width,
        "intermediate_size": 4 * judge.width,
        "num_hidden_layers": judge.layers,
        "num_attention_heads": judge.heads,
        "image_size": judge.pixels,
        "patch_size": judge.patch,
    }


def _clip(judge: Judge) -> CLIPModel:
    words = byte_tokenizer(TOKENS)
    text = {
        "vocab_size": len(words),
        "max_position_embeddings": TOKENS,
        "hidden_size": judge.text,
        "intermediate_size": 4 * judge.text,
        "num_hidden_layers": judge.layers,
        "num_attention_heads": judge.heads if judge.text % judge.heads == 0 else judge.text // 64,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
    }
    return CLIPModel(CLIPConfig(text_config=text, vision_config=_sides(judge), projection_dim=judge.text))
