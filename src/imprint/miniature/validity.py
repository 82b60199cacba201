"""Whether the evaluators measure what they claim to, on individuals they never saw.

`python -m imprint.miniature.validity report.json` regenerates the table in the evaluators' card.
"""

from __future__ import annotations

import argparse
import json
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
from imprint.miniature.recipe.bundle import read_oracle
from imprint.miniature.recipe.denoiser import token_ids
from imprint.miniature.recipe.instance import area_under_curve, embedded, view_of
from imprint.miniature.recipe.oracle import QUESTIONS, truth
from imprint.miniature.recipe.pictures import as_tensor
from imprint.miniature.recipe.stages import EVALUATORS
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.scene import NOUNS, Scene
from imprint.miniature.subjects import NAMED_SUBJECTS, from_seed, named

Report = dict[str, float]


def held_out_scenes(count: int) -> list[Scene]:
    """Scenes composed as in pre-training, of individuals that were held out of it."""
    drawn = [pretraining_scene(-1, i) for i in range(count)]
    return [replace(scene, subject=from_seed(scene.subject.noun, i % 40)) for i, scene in enumerate(drawn)]


def pixels(scenes: Sequence[Scene]) -> Tensor:
    return as_tensor(np.stack([np.asarray(draw(scene)) for scene in scenes]))


@torch.no_grad()
def clip_validity(folder: Path) -> Report:
    """How often the right caption comes first among 100, and the mean cosine to right and wrong captions."""
    model, words = CLIPModel.from_pretrained(folder, dtype=torch.float32), CLIPTokenizer.from_pretrained(folder)
    scenes = held_out_scenes(1000)
    texts = [caption(scene, stream("validity", i)) for i, scene in enumerate(scenes)]
    first, right, wrong = [], [], []
    for i in range(0, 1000, 100):
        out = model(input_ids=token_ids(words, texts[i : i + 100]), pixel_values=pixels(scenes[i : i + 100]))
        cosine = out.image_embeds @ out.text_embeds.T
        first.append((cosine.argmax(1) == torch.arange(100)).float().mean())
        right.append(cosine.diagonal().mean())
        wrong.append((cosine.sum() - cosine.diagonal().sum()) / (100 * 99))
    mean = {"right caption first among 100": first, "cosine to the right caption": right, "to wrong ones": wrong}
    return {name: float(torch.stack(values).mean()) for name, values in mean.items()}


@torch.no_grad()
def instance_validity(folder: Path) -> Report:
    """Same-subject against same-class pairs, and the cosine left after each change of circumstance."""
    model = ViTModel.from_pretrained(folder, dtype=torch.float32, add_pooling_layer=False)
    people = [named(name) for name in NAMED_SUBJECTS] + [from_seed(noun, i) for noun in NOUNS for i in range(4)]
    scenes = [view_of(who, stream("validity", who.name, v)) for who in people for v in range(6)]
    features = embedded(model, pixels(scenes))
    who = np.arange(len(scenes)) // 6
    noun = np.array([scene.subject.noun for scene in scenes])
    alike = (features @ features.T).numpy()
    above = np.triu(np.ones_like(alike, dtype=bool), 1)
    same = who[:, None] == who[None, :]
    kin = (noun[:, None] == noun[None, :]) & ~same
    still = [Scene(person, "studio") for person in people]
    base = embedded(model, pixels(still))

    def stability(**change: object) -> float:
        changed = [replace(scene, **change) for scene in still]  # type: ignore[arg-type]
        return float(functional.cosine_similarity(base, embedded(model, pixels(changed))).mean())

    pose = still[0].pose
    return {
        "area under the curve": area_under_curve(alike[above & same], alike[above & kin]),
        "cosine, same subject": float(alike[above & same].mean()),
        "cosine, same class": float(alike[above & kin].mean()),
        "cosine, other class": float(alike[above & ~same & ~kin].mean()),
        "stability under place": stability(place="jungle"),
        "stability under pose": stability(pose=replace(pose, mirrored=True, angle=6.0)),
        "stability under scale": stability(pose=replace(pose, scale=0.29)),
        "stability under light": stability(light="dim"),
    }


@torch.no_grad()
def oracle_validity(folder: Path) -> Report:
    scenes = held_out_scenes(1000)
    said = read_oracle(folder)(pixels(scenes))
    answers = torch.tensor([truth(scene) for scene in scenes])
    return {q: float((said[q].argmax(1) == answers[:, i]).float().mean()) for i, q in enumerate(QUESTIONS)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--evaluators", type=Path, default=EVALUATORS)
    arguments = parser.parse_args()
    measures = {"clip": clip_validity, "instance": instance_validity, "oracle": oracle_validity}
    report = {name: measure(arguments.evaluators / name) for name, measure in measures.items()}
    text = json.dumps(report, indent=2)
    arguments.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
