"""Whether the evaluators measure what they claim to, on individuals they never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import CLIPModel, CLIPTokenizer, ViTModel

from imprint.miniature.canvas import stream
from imprint.miniature.captions import caption
from imprint.miniature.quality.intervals import Share, share
from imprint.miniature.quality.realism import drawn
from imprint.miniature.recipe.bundle import read_oracle
from imprint.miniature.recipe.denoiser import token_ids
from imprint.miniature.recipe.instance import area_under_curve, embedded
from imprint.miniature.recipe.oracle import QUESTIONS, truth
from imprint.miniature.sampling import pretraining_scene, view_of
from imprint.miniature.scene import NOUNS, Scene
from imprint.miniature.subjects import NAMED_SUBJECTS, from_seed, named

CANDIDATES = 100  # captions among which a picture's own is looked for
VIEWS = 6  # pictures of each individual


def held_out_scenes(count: int) -> list[Scene]:
    """Scenes composed as in pre-training, of individuals that were held out of it."""
    scenes = [pretraining_scene(-1, i) for i in range(count)]
    return [replace(scene, subject=from_seed(scene.subject.noun, i % 40)) for i, scene in enumerate(scenes)]


@torch.no_grad()
def clip_validity(folder: Path, *, count: int) -> dict[str, Share | float]:
    """How often the right caption comes first among CANDIDATES, and the mean cosine to right and wrong captions.

    `count` is a multiple of CANDIDATES. Captions leave things out, so some of the others may be just as true:
    "for a perfect reader" is the share that guessing among the equally true ones would reach.
    """
    model, words = CLIPModel.from_pretrained(folder, dtype=torch.float32), CLIPTokenizer.from_pretrained(folder)
    scenes = held_out_scenes(count)
    texts = [caption(scene, stream("validity", i)) for i, scene in enumerate(scenes)]
    first: list[bool] = []
    ceiling, right, wrong = [], [], []
    for i in range(0, count, CANDIDATES):
        rows = range(i, i + CANDIDATES)
        out = model(
            input_ids=token_ids(words, texts[i : i + CANDIDATES]), pixel_values=drawn(scenes[i : i + CANDIDATES])
        )
        cosine = out.image_embeds @ out.text_embeds.T
        own = torch.eye(CANDIDATES, dtype=torch.bool)
        first += (cosine.argmax(1) == torch.arange(CANDIDATES)).tolist()
        right.append(cosine[own].mean())
        wrong.append(cosine[~own].mean())
        ceiling += [1 / sum(_says(texts[j], scenes[row], j) for j in rows) for row in rows]
    return {
        "right caption first among 100": share(first),
        "the same, for a perfect reader": round(float(np.mean(ceiling)), 4),
        "cosine to the right caption": _mean(right),
        "cosine to wrong ones": _mean(wrong),
    }


def _says(text: str, scene: Scene, number: int) -> bool:
    """Whether `text` is what `scene` would have been called in place of scene `number`."""
    return caption(scene, stream("validity", number)) == text


@torch.no_grad()
def instance_validity(folder: Path) -> dict[str, Share | float]:
    """Same-subject against same-class pairs, and the cosine left after each change of circumstance."""
    model = ViTModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
    people = [named(name) for name in NAMED_SUBJECTS] + [from_seed(noun, i) for noun in NOUNS for i in range(4)]
    scenes = [view_of(who, stream("validity", who.name, v)) for who in people for v in range(VIEWS)]
    features = embedded(model, drawn(scenes))
    who = np.arange(len(scenes)) // VIEWS
    noun = np.array([scene.subject.noun for scene in scenes])
    alike = (features @ features.T).numpy()
    above = np.triu(np.ones_like(alike, dtype=bool), 1)
    same = who[:, None] == who[None, :]
    kin = (noun[:, None] == noun[None, :]) & ~same
    still = [Scene(person, "studio") for person in people]
    base = embedded(model, drawn(still))

    def stability(**change: object) -> float:
        changed = [replace(scene, **change) for scene in still]  # type: ignore[arg-type]
        return round(float(functional.cosine_similarity(base, embedded(model, drawn(changed))).mean()), 4)

    pose = still[0].pose
    return {
        "area under the curve, same subject against same class": round(
            area_under_curve(alike[above & same], alike[above & kin]), 4
        ),
        "cosine, same subject": _mean(alike[above & same]),
        "cosine, same class": _mean(alike[above & kin]),
        "cosine, other class": _mean(alike[above & ~same & ~kin]),
        "stability under place": stability(place="jungle"),
        "stability under pose": stability(pose=replace(pose, mirrored=True, angle=6.0)),
        "stability under scale": stability(pose=replace(pose, scale=0.29)),
        "stability under light": stability(light="dim"),
    }


@torch.no_grad()
def oracle_validity(folder: Path, *, count: int) -> dict[str, Share | float]:
    """How often each of the network's answers is right."""
    scenes = held_out_scenes(count)
    said = read_oracle(folder)(drawn(scenes))
    answers = torch.tensor([truth(scene) for scene in scenes])
    return {
        f"{'class' if q == 'noun' else q} right": share((said[q].argmax(1) == answers[:, i]).tolist())
        for i, q in enumerate(QUESTIONS)
    }


def _mean(values: Sequence[Tensor] | np.ndarray) -> float:
    return round(float(np.mean([float(value) for value in values])), 4)
