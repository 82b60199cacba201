"""An evaluator: who is who (a small ViT in DINO's place, trained to tell individuals apart)."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import ViTConfig, ViTModel

from imprint.miniature.canvas import SIZE, stream
from imprint.miniature.recipe.loop import Course, autocast, fit
from imprint.miniature.recipe.pictures import as_tensor, softened
from imprint.miniature.recipe.settings import InstanceSettings
from imprint.miniature.sampling import view_of
from imprint.miniature.scene import NOUNS, Scene, Subject
from imprint.miniature.subjects import for_pretraining

NOUNS_A_BATCH = 3  # few classes in a batch, so that telling classes apart does not suffice


@cache
def individual(seed: int, index: int) -> Subject:
    """Individual number `index`, of class `index` modulo the classes; none is held out."""
    return for_pretraining(NOUNS[index % len(NOUNS)], stream("instance", seed, index))


def view_number(seed: int, views: int, index: int) -> Scene:
    """Scene `index` of the training set: individual `index // views`."""
    return view_of(individual(seed, index // views), stream("view", seed, index))


def fresh(settings: InstanceSettings) -> ViTModel:
    config = ViTConfig(
        image_size=SIZE,
        patch_size=settings.patch,
        hidden_size=settings.hidden,
        intermediate_size=4 * settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    config._attn_implementation = "eager"
    return ViTModel(config, add_pooling_layer=False)


def embedded(model: ViTModel, pixels_BCHW: Tensor) -> Tensor:
    """Unit vectors (B, hidden) from the class token, as DINO's are taken."""
    features = model(pixel_values=pixels_BCHW).last_hidden_state[:, 0]
    return functional.normalize(features.float(), dim=-1)


def telling_apart_loss(one_BD: Tensor, other_BD: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding each view's partner among all other views in the batch."""
    both = torch.cat([one_BD, other_BD])
    logits = both @ both.T / temperature
    logits = logits.masked_fill(torch.eye(len(both), dtype=torch.bool, device=both.device), -1e4)
    n = len(one_BD)
    partner = (torch.arange(2 * n, device=both.device) + n) % (2 * n)
    return functional.cross_entropy(logits, partner)


def area_under_curve(same: np.ndarray, different: np.ndarray) -> float:
    """The chance that a pair of `same` is rated above a pair of `different`."""
    order = np.concatenate([same, different]).argsort().argsort() + 1
    return float((order[: len(same)].sum() - len(same) * (len(same) + 1) / 2) / (len(same) * len(different)))


def train(settings: InstanceSettings, pictures: np.ndarray, *, course: Course) -> ViTModel:
    """The trained evaluator; `pictures[i * views + v]` shows individual i. The last 150 only measure."""
    torch.manual_seed(course.seed)
    views, kinds = settings.views, len(NOUNS)
    measured = 10 * kinds
    count = settings.individuals - measured

    def loss_at(model: ViTModel, step: int) -> Tensor:
        rng = np.random.default_rng((course.seed, step))
        nouns = rng.choice(kinds, NOUNS_A_BATCH, replace=False)
        candidates = np.concatenate([np.arange(noun, count, kinds) for noun in nouns])
        who = rng.choice(candidates, settings.batch, replace=False)
        pair = np.stack([rng.choice(views, 2, replace=False) for _ in who])
        rows = np.concatenate([who * views + pair[:, 0], who * views + pair[:, 1]])
        pixels = softened(as_tensor(pictures[rows])).to(course.device)
        with autocast(course.device):
            features = embedded(model, pixels)
        one, other = features.chunk(2)
        return telling_apart_loss(one, other, settings.temperature)

    def quality(average: ViTModel) -> str:
        rows = np.arange(count * views, settings.individuals * views)
        chunks = as_tensor(pictures[rows]).to(course.device).split(200)
        features = torch.cat([embedded(average, chunk) for chunk in chunks]).cpu()
        who = rows // views
        alike = (features @ features.T).numpy()
        above = np.triu(np.ones_like(alike, dtype=bool), 1)
        same = who[:, None] == who[None, :]
        kin = (who[:, None] - who[None, :]) % kinds == 0
        auc = area_under_curve(alike[above & same], alike[above & kin & ~same])
        return f"same against same-class pairs, area under curve {auc:.4f}"

    return fit(fresh(settings), course, loss_at, quality)
