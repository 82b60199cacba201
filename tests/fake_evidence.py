"""Evidence with features written by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from imprint.evaluation.records import Evidence, Photo, Picture, PictureRequest, Question, Shot
from imprint.types import Concept

CONCEPT = Concept("sks", "dog")
TEMPLATE = "a {identifier} {noun} in the snow"
SIZE = (16, 16)  # of pictures and photos


class FakeFeatures:
    """Features and layers by the content of a picture, or by the text; the same for every role."""

    def __init__(
        self,
        vectors: Mapping[str, Sequence[float]],
        layers: Mapping[str, Sequence[Sequence[Sequence[float]]]] | None = None,
    ) -> None:
        self.vectors = vectors
        self.depths = layers or {}
        self.roles: set[str] = set()

    def images(self, role: str, pictures: Sequence[Picture]) -> Tensor:
        self.roles.add(role)
        return torch.tensor([list(self.vectors[picture.content]) for picture in pictures])

    def texts(self, role: str, texts: Sequence[str]) -> Tensor:
        self.roles.add(role)
        return torch.tensor([list(self.vectors[text]) for text in texts])

    def layers(self, role: str, pictures: Sequence[Picture]) -> list[Tensor]:
        self.roles.add(role)
        return [torch.tensor(depth) for depth in zip(*(self.depths[p.content] for p in pictures), strict=True)]

    def answers(self, role: str, pictures: Sequence[Picture], questions: Sequence[Question]) -> Tensor:
        """Yes where a picture's first feature is positive, whatever is asked."""
        self.roles.add(role)
        return torch.tensor(
            [float(self.vectors[one.content][0] > 0) for one, _ in zip(pictures, questions, strict=True)]
        )


def shot(content: str, number: int = 0, k: int = 0, *, set: str = "subject", template: str = TEMPLATE) -> Shot:
    asked = PictureRequest(set, number, template, "recontextualisation", k)
    return Shot(asked, CONCEPT.fill(template), 7, Path(f"{content}.png"), content, "ok")


def shots(*contents: str, set: str = "subject") -> list[Shot]:
    """Pictures of one prompt."""
    return [shot(content, 0, k, set=set) for k, content in enumerate(contents)]


def photo(content: str, *, trained_on: bool = True) -> Photo:
    return Photo(
        f"{content}.jpg", content, trained_on, lambda: Image.new("RGB", SIZE), lambda: Image.new("L", SIZE, 255)
    )


def evidence(features: Any, **parts: Any) -> Evidence:
    """Of a subject "rex", with what `parts` give: shots by set, untuned by set, photos, class_photos, others."""
    usual: dict[str, Any] = {
        "subject": "rex",
        "averaging": "macro",
        "shots": {},
        "untuned": {},
        "photos": [],
        "class_photos": [],
        "others": [],
    }
    return Evidence(concept=CONCEPT, features=features, **{**usual, **parts})
