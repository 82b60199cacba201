"""An evaluator: which caption belongs to which picture (a small CLIP, for CLIP-I and CLIP-T)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTokenizer, CLIPVisionConfig

from imprint.miniature.canvas import SIZE
from imprint.miniature.recipe.denoiser import captions_of, token_ids
from imprint.miniature.recipe.loop import Course, autocast, fit
from imprint.miniature.recipe.pictures import as_tensor, softened
from imprint.miniature.recipe.settings import ClipSettings
from imprint.miniature.scene import Scene


def fresh(settings: ClipSettings, tokenizer: CLIPTokenizer) -> CLIPModel:
    size = {
        "hidden_size": settings.hidden,
        "intermediate_size": 4 * settings.hidden,
        "num_hidden_layers": settings.layers,
        "num_attention_heads": settings.heads,
        "projection_dim": settings.projection,
    }
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=tokenizer.model_max_length,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **size,
    )
    vision = CLIPVisionConfig(image_size=SIZE, patch_size=settings.patch, **size)
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=settings.projection)
    config._attn_implementation = "eager"
    return CLIPModel(config)


def matching_loss(model: CLIPModel, pixels_BCHW: Tensor, ids_BT: Tensor) -> Tensor:
    """Symmetric cross-entropy of finding each picture's caption in the batch, and each caption's picture."""
    with autocast(pixels_BCHW.device):
        out = model(input_ids=ids_BT, pixel_values=pixels_BCHW)
    logits = out.logits_per_image.float()
    target = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def train(
    settings: ClipSettings,
    pictures: np.ndarray,
    scenes: Sequence[Scene],
    tokenizer: CLIPTokenizer,
    *,
    course: Course,
    validation: int,
    start: CLIPModel | None,
) -> CLIPModel:
    """The trained evaluator; the last `validation` pictures only measure it."""
    torch.manual_seed(course.seed)
    model = start or fresh(settings, tokenizer)
    model.config._attn_implementation = "eager"
    count = len(scenes) - validation

    def batch(rows: np.ndarray, key: int) -> tuple[Tensor, Tensor]:
        texts = captions_of([scenes[i] for i in rows], key=(course.seed, key), drop=0.0)
        ids = token_ids(tokenizer, texts).to(course.device)
        return as_tensor(pictures[rows]).to(course.device), ids

    def loss_at(model: CLIPModel, step: int) -> Tensor:
        rows = np.sort(np.random.default_rng((course.seed, step)).choice(count, settings.batch, replace=False))
        pixels, ids = batch(rows, step)
        return matching_loss(model, softened(pixels), ids)

    def quality(average: CLIPModel) -> str:
        pixels, ids = batch(np.arange(count, count + validation // 100 * 100), 0)
        right = []
        for some_pixels, some_ids in zip(pixels.split(100), ids.split(100), strict=True):
            logits = average(input_ids=some_ids, pixel_values=some_pixels).logits_per_image
            right.append((logits.argmax(1).cpu() == torch.arange(len(logits))).float())
        return f"own caption first among 100 in {100 * torch.cat(right).mean():.1f}%"

    return fit(model, course, loss_at, quality)
