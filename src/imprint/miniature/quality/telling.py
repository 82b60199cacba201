"""How often the subject of a picture is told right, by its pixels and by the instance encoder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import Tensor
from transformers import ViTModel

from imprint.miniature.canvas import stream
from imprint.miniature.places import PLACES
from imprint.miniature.quality.intervals import Share, share
from imprint.miniature.quality.judging import read
from imprint.miniature.quality.realism import drawn, stacked, through_autoencoder
from imprint.miniature.quality.recognition import recognise
from imprint.miniature.recipe.bundle import read_oracle
from imprint.miniature.recipe.instance import embedded
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import random_pose, reference_scenes
from imprint.miniature.scene import LIGHTS, Scene, Subject
from imprint.miniature.subjects import NAMED_SUBJECTS, kin_of, named

REFERENCES = 4


def scenes_of(who: Subject, count: int) -> list[Scene]:
    """`who` in other places, poses and lights than its reference pictures'."""
    rng = stream("telling", who.name)
    return [
        Scene(who, rng.choice(PLACES), light=rng.choice(LIGHTS), pose=random_pose(rng), seed=rng.randrange(10**9))
        for _ in range(count)
    ]


@torch.no_grad()
def telling(
    evaluators: Path, pipeline: StableDiffusionPipeline, *, names: Sequence[str], each: int
) -> dict[str, Share]:
    """The shares told right, of `each` new pictures of each of `names`, as drawn and softened by the autoencoder.

    Among a class: from KIN candidates, the class given. Among the thirty: by pixels from the named ones of the class
    that the oracle reads, by the encoder from all.
    """
    thirty = sorted(map(named, NAMED_SUBJECTS), key=lambda who: who.noun)
    scenes = [scene for who in thirty if who.name in names for scene in scenes_of(who, each)]
    plain = [draw(scene) for scene in scenes]
    sets = {"": plain, ", softened": as_pictures(through_autoencoder(pipeline, stacked(plain)))}
    oracle = read_oracle(evaluators / "oracle")
    model = ViTModel.from_pretrained(evaluators / "instance", dtype=torch.float32, add_pooling_layer=False)
    references = {
        who: embedded(model, drawn(reference_scenes(who, REFERENCES))).mean(0)
        for who in {kin for one in thirty for kin in kin_of(one)}
    }
    read_classes = {name: [said["noun"] for said in read(oracle, pictures)] for name, pictures in sets.items()}
    features = {name: embedded(model, stacked(pictures)) for name, pictures in sets.items()}
    right: dict[str, list[bool]] = defaultdict(list)
    for i, scene in enumerate(scenes):  # picture by picture, so that each individual's cut-outs are drawn once
        who, kin = scene.subject, kin_of(scene.subject)
        for name, pictures in sets.items():
            answers = {
                "among its class, by pixels": _by_pixels(pictures[i], kin, who.noun),
                "among the thirty, by pixels": _by_pixels(pictures[i], thirty, read_classes[name][i]),
                "among its class, by the instance encoder": _by_encoder(features[name][i], kin, references),
                "among the thirty, by the instance encoder": _by_encoder(features[name][i], thirty, references),
            }
            for question, answer in answers.items():
                right[f"{question}{name}"].append(answer == who)
    return {question: share(answers) for question, answers in right.items()}


def as_pictures(pixels_BCHW: Tensor) -> list[Image.Image]:
    levels = ((pixels_BCHW + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(picture) for picture in levels]


def _by_pixels(picture: Image.Image, candidates: Sequence[Subject], noun: str) -> Subject | None:
    match = recognise(picture, candidates, noun=noun)
    return match.subject if match else None


def _by_encoder(feature_D: Tensor, candidates: Sequence[Subject], references: Mapping[Subject, Tensor]) -> Subject:
    """The candidate whose reference pictures are nearest on average."""
    return max(candidates, key=lambda who: float(feature_D @ references[who]))
