"""The oracle reads what prompts asked for off pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from imprint.miniature.canvas import stream
from imprint.miniature.quality.generating import Sampler, generate
from imprint.miniature.quality.intervals import Share, share
from imprint.miniature.quality.prompts import Prompt
from imprint.miniature.recipe.oracle import QUESTIONS, Oracle
from imprint.miniature.recipe.pictures import as_tensor
from imprint.miniature.renderer import draw
from imprint.miniature.scene import NOUNS, Scene
from imprint.miniature.wording import PLACE_WORDS

_CHUNK = 256


@torch.no_grad()
def read(oracle: Oracle, pictures: Sequence[Image.Image]) -> list[dict[str, str]]:
    """The oracle's answer to each of its questions, for each picture."""
    answers = []
    for i in range(0, len(pictures), _CHUNK):
        some = np.stack([np.asarray(p.convert("RGB")) for p in pictures[i : i + _CHUNK]])
        indices = {question: logits.argmax(1).tolist() for question, logits in oracle(as_tensor(some)).items()}
        answers += [{q: QUESTIONS[q][indices[q][row]] for q in QUESTIONS} for row in range(len(some))]
    return answers


def shares(answers: Sequence[dict[str, str]], scenes: Sequence[Scene]) -> dict[str, Share]:
    """How often the class, a place with a name and an attribute are read as the scenes have them.

    An unnamed place does not count: a picture of "a red dog" may be anywhere.
    """
    rows = list(zip(answers, scenes, strict=True))
    return {
        "class": share(said["noun"] == scene.subject.noun for said, scene in rows),
        "place": share(said["place"] == scene.place for said, scene in rows if scene.place in PLACE_WORDS),
        "attribute": share(said["attribute"] == scene.attribute for said, scene in rows if scene.attribute),
    }


def judge(
    pipeline: StableDiffusionPipeline,
    oracle: Oracle,
    prompts: Sequence[Prompt],
    *,
    each: int,
    sampler: Sampler,
    seed: int,
) -> dict[str, dict[str, Share]]:
    """The shares for true pictures, which are the oracle's ceiling, and for generated ones, `each` a prompt."""
    scenes = [replace(prompt.scene, seed=prompt.scene.seed + k) for prompt in prompts for k in range(each)]
    noise = (stream("judging's noise", seed, i).randrange(2**31) for i in range(len(scenes)))
    asked = zip([prompt.text for prompt in prompts for _ in range(each)], noise, strict=True)
    made = generate(pipeline, list(asked), sampler)
    answers = read(oracle, made)
    by_class = {noun: [i for i, scene in enumerate(scenes) if scene.subject.noun == noun] for noun in NOUNS}
    return {
        "true pictures": shares(read(oracle, [draw(scene) for scene in scenes]), scenes),
        "generated": shares(answers, scenes),
        "class, by class": {
            noun: share(answers[i]["noun"] == noun for i in rows) for noun, rows in by_class.items() if rows
        },
    }
