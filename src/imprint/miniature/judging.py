"""How good the generator is: the oracle reads what prompts asked for off generated pictures.

`python -m imprint.miniature.judging report.json` regenerates the model card's figures.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from imprint.miniature.canvas import stream
from imprint.miniature.captions import paper_caption
from imprint.miniature.figures.accessories import ACCESSORIES
from imprint.miniature.figures.catalogue import WEARERS
from imprint.miniature.places import PLACES
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.recipe.bundle import read_oracle
from imprint.miniature.recipe.oracle import QUESTIONS, Oracle
from imprint.miniature.recipe.pictures import as_tensor
from imprint.miniature.recipe.stages import EVALUATORS, WEIGHTS
from imprint.miniature.renderer import draw
from imprint.miniature.samples import generate
from imprint.miniature.sampling import random_pose
from imprint.miniature.scene import NOUNS, Scene
from imprint.miniature.subjects import from_seed


def asked(seed: int) -> list[tuple[str, Scene]]:
    """Prompts with a scene that answers them: each class in a place, and with an attribute; held-out looks."""
    rng = stream("judging", seed)
    out = []
    for noun in NOUNS:
        for place in rng.sample(PLACES, 4):
            scene = Scene(from_seed(noun, seed), place, pose=random_pose(rng), seed=rng.randrange(10**9))
            out.append((paper_caption(scene), scene))
        choices = (*PROPERTIES, *ACCESSORIES) if noun in WEARERS else PROPERTIES
        for attribute in rng.sample(choices, 3):
            scene = Scene(from_seed(noun, seed), "room", attribute=attribute, pose=random_pose(rng))
            out.append((paper_caption(scene), scene))
    return out


def read(oracle: Oracle, pictures: Sequence[Image.Image]) -> list[dict[str, str]]:
    """The oracle's answer to each of its questions, for each picture."""
    with torch.no_grad():
        said = oracle(as_tensor(np.stack([np.asarray(p.convert("RGB")) for p in pictures])))
    indices = {question: logits.argmax(1).tolist() for question, logits in said.items()}
    return [{q: QUESTIONS[q][indices[q][i]] for q in QUESTIONS} for i in range(len(pictures))]


def shares(answers: Sequence[dict[str, str]], scenes: Sequence[Scene]) -> dict[str, float]:
    """In which share of the pictures the class, the asked place and the asked attribute are right."""
    pairs = list(zip(answers, scenes, strict=True))
    placed = [(a, s) for a, s in pairs if not s.attribute]
    changed = [(a, s) for a, s in pairs if s.attribute]
    return {
        "class": sum(a["noun"] == s.subject.noun for a, s in pairs) / len(pairs),
        "place": sum(a["place"] == s.place for a, s in placed) / len(placed),
        "attribute": sum(a["attribute"] == s.attribute for a, s in changed) / len(changed),
    }


def judge(
    weights: Path, oracle: Oracle, *, each: int, steps: int, guidance: float, seed: int
) -> dict[str, dict[str, float]]:
    """The shares for true pictures of other individuals (the oracle's ceiling) and for generated ones."""
    prompts, scenes = zip(*asked(seed), strict=True)
    repeated = [replace(scene, seed=scene.seed + k) for scene in scenes for k in range(each)]
    rows = generate(weights, prompts, each=each, steps=steps, guidance=guidance, seed=seed)
    made = [picture for row in rows for picture in row]
    return {
        "drawn": shares(read(oracle, [draw(scene) for scene in repeated]), repeated),
        "generated": shares(read(oracle, made), repeated),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--oracle", type=Path, default=EVALUATORS / "oracle")
    parser.add_argument("--each", type=int, default=4, help="pictures a prompt")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    report = judge(a.weights, read_oracle(a.oracle), each=a.each, steps=a.steps, guidance=a.guidance, seed=a.seed)
    text = json.dumps({"steps": a.steps, "guidance": a.guidance, "each": a.each, "seed": a.seed, **report}, indent=2)
    a.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
