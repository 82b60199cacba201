"""Tiny encoders with random weights, written in the real formats."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tiny import TOKENS, tiny_tokenizer
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    ViTConfig,
    ViTModel,
)

from imprint.evaluation.encoders.transform import Transform
from imprint.evaluation.encoders.transformer import Clip, Vit

SIZE = 16  # pixels on a side
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VIEW = {"image_size": SIZE, "patch_size": 8}
KINDS = {
    "vit": lambda: ViTModel(ViTConfig(**SMALL, **VIEW), add_pooling_layer=False),
    "dinov2": lambda: Dinov2Model(Dinov2Config(**SMALL, **VIEW)),
    "dinov2_with_registers": lambda: Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**SMALL, **VIEW)),
}


def tiny_clip(folder: Path, *, seed: int = 0) -> Path:
    words = tiny_tokenizer()
    text = {
        "vocab_size": len(words),
        "max_position_embeddings": TOKENS,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
        **SMALL,
    }
    with _seeded(seed):
        model = CLIPModel(CLIPConfig(text_config=text, vision_config={**SMALL, **VIEW}, projection_dim=8))
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def tiny_text_encoder(folder: Path) -> Path:
    """Half of a CLIP."""
    CLIPTextModel(CLIPConfig(text_config=SMALL).text_config).save_pretrained(folder)
    return folder


def tiny_vit(folder: Path, kind: str = "vit", *, seed: int = 0) -> Path:
    with _seeded(seed):
        KINDS[kind]().save_pretrained(folder)
    return folder


def pickled(folder: Path) -> Path:
    """The same, with its weights in the older format alone."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    return folder


def without_a_weight(folder: Path) -> Path:
    weights = load_file(folder / "model.safetensors")
    weights.pop(sorted(weights)[-1])
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def transform(**settings: Any) -> Transform:
    usual = {
        "resize": SIZE,
        "stretch": False,
        "interpolation": "bicubic",
        "crop": SIZE,
        "mean": (0.5, 0.4, 0.3),
        "std": (0.5, 0.6, 0.7),
    }
    return Transform(**{**usual, **settings})


def clip(source: Path | str, **settings: Any) -> Clip:
    return Clip(**{"name": "tiny CLIP", "source": str(source), "revision": None, "transform": transform(), **settings})


def vit(source: Path | str, **settings: Any) -> Vit:
    return Vit(**{"name": "tiny ViT", "source": str(source), "revision": None, "transform": transform(), **settings})


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
