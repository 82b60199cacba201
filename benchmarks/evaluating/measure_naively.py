"""The same scores as a plain script has them: beside each picture, its prompt and all references anew.

python measure_naively.py IMAGES PROMPTS REFERENCES [overrides of `imprint evaluate`: the encoders]
"""

import sys
from pathlib import Path

import torch
from PIL import Image
from spent import spent
from torch import Tensor
from torch.nn.functional import cosine_similarity

from imprint.config import compose
from imprint.requests import read_request
from imprint.training.trainer import process_device
from imprint.verbs.evaluate import Request

images, prompts, references = map(Path, sys.argv[1:4])
request = read_request(Request, compose("evaluate", sys.argv[4:]))
assert request.evaluation is not None
encoders = {**request.evaluation.encoders, **request.encoders}
files = sorted(images.glob("*.png"))
photos = sorted(references.iterdir())
texts = prompts.read_text(encoding="utf-8").splitlines()


def seen(role: str, file: Path) -> Tensor:
    with Image.open(file) as picture:
        return encoders[role].images([picture.convert("RGB")])


with spent():
    for encoder in encoders.values():
        encoder.to(process_device("auto"))
    scores = []
    for file in files:
        image = {role: seen(role, file) for role in ("dino", "clip")}
        likeness = [
            torch.stack([cosine_similarity(image[role], seen(role, photo)) for photo in photos]).mean()
            for role in image
        ]
        text = encoders["clip"].texts([texts[int(file.name.split("-")[0])]])
        scores.append([*likeness, cosine_similarity(image["clip"], text).mean()])
    print(torch.tensor(scores).mean(dim=0))
