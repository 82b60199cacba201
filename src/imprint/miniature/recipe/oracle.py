"""The oracle: class, place, attribute and style of a picture; it validates the metrics and the generator."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from imprint.miniature.figures.accessories import ACCESSORIES
from imprint.miniature.places import BACKDROPS
from imprint.miniature.properties import PROPERTIES
from imprint.miniature.recipe.loop import Course, autocast, fit
from imprint.miniature.recipe.pictures import as_tensor, softened
from imprint.miniature.recipe.settings import OracleSettings
from imprint.miniature.scene import NOUNS, STYLES, Scene

QUESTIONS: dict[str, tuple[str, ...]] = {
    "noun": NOUNS,
    "place": tuple(BACKDROPS),
    "attribute": ("", *PROPERTIES, *ACCESSORIES),
    "style": STYLES,
}


def truth(scene: Scene) -> list[int]:
    said = (scene.subject.noun, scene.place, scene.attribute, scene.style)
    return [answers.index(answer) for answers, answer in zip(QUESTIONS.values(), said, strict=True)]


class Oracle(nn.Module):
    """A small convolutional classifier with one answer to each of QUESTIONS."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip([3, *channels[:-1]], channels, strict=True):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
            layers += [nn.Conv2d(after, after, 3, stride=2, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
        self.body = nn.Sequential(*layers)
        # 4x4 positions stay apart: where something is tells the figure from the place.
        self.answers = nn.ModuleDict({q: nn.Linear(channels[-1] * 16, len(a)) for q, a in QUESTIONS.items()})

    def forward(self, pixels_BCHW: Tensor) -> dict[str, Tensor]:
        features = self.body(pixels_BCHW).flatten(1)
        return {question: answer(features) for question, answer in self.answers.items()}


def train(
    settings: OracleSettings, pictures: np.ndarray, scenes: Sequence[Scene], *, course: Course, validation: int
) -> Oracle:
    """The trained oracle; the last `validation` pictures only measure it."""
    torch.manual_seed(course.seed)
    count = len(scenes) - validation
    answers = torch.tensor([truth(scene) for scene in scenes])

    def loss_at(model: Oracle, step: int) -> Tensor:
        rows = np.random.default_rng((course.seed, step)).integers(0, count, settings.batch)
        pixels = softened(as_tensor(pictures[rows])).to(course.device)
        with autocast(course.device):
            said = model(pixels)
        right = answers[rows].to(course.device)
        losses = [functional.cross_entropy(s.float(), right[:, i]) for i, s in enumerate(said.values())]
        return torch.stack(losses).sum()

    def quality(average: Oracle) -> str:
        said = average(as_tensor(pictures[count:]).to(course.device))
        shares = [(s.argmax(1).cpu() == answers[count:, i]).float().mean() for i, s in enumerate(said.values())]
        return ", ".join(f"{q} {100 * share:.1f}%" for q, share in zip(QUESTIONS, shares, strict=True))

    return fit(Oracle(settings.channels), course, loss_at, quality)
