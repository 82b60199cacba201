"""CLIP-T: which text, which scale."""

import math
from typing import Any

import pytest
from fake_evidence import FakeFeatures, evidence, shot

from imprint.errors import UserError
from imprint.evaluation.metrics.clip_t import ClipT

PICTURE = {"east": (4.0, 0.0)}
HALF = math.sqrt(0.5)


def measured(template: str, texts: dict[str, tuple[float, float]], **settings: Any) -> float:
    metric = ClipT(**{"encoder": "clip", "text": "class", "scale": 1.0, "clamp": False, **settings})
    given = evidence(FakeFeatures({**PICTURE, **texts}), shots={"subject": [shot("east", template=template)]})
    (value,) = metric.measure(given)
    assert value[:3] == ("subject", 0, 0)
    return value.value


@pytest.mark.parametrize(
    ("text", "template", "read"),
    [
        ("class", "a red {identifier} {noun} in the snow", "a red dog in the snow"),
        ("class", "a photo of {identifier}", "a photo of dog"),
        ("strip", "a red {identifier} {noun} in the snow", "a red dog in the snow"),
        ("strip", "a photo of {identifier} on the beach", "a photo of on the beach"),
        ("identifier", "a red {identifier} {noun}", "a red sks dog"),
    ],
)
def test_the_text_is_the_one_chosen(text: str, template: str, read: str) -> None:
    # Any other text is unknown to the features, and raises.
    assert measured(template, {read: (1.0, 1.0)}, text=text) == pytest.approx(HALF)


@pytest.mark.parametrize(("scale", "expected"), [(1.0, HALF), (2.5, 2.5 * HALF), (100, 100 * HALF)])
def test_the_cosine_is_scaled(scale: float, expected: float) -> None:
    assert measured("a {noun}", {"a dog": (1.0, 1.0)}, scale=scale) == pytest.approx(expected)


@pytest.mark.parametrize(("clamp", "expected"), [(False, -2.5 * HALF), (True, 0.0)])
def test_a_negative_cosine_counts_as_zero_only_if_asked(clamp: bool, expected: float) -> None:
    assert measured("a {noun}", {"a dog": (-1.0, 1.0)}, scale=2.5, clamp=clamp) == pytest.approx(expected)


def test_it_asks_for_texts_and_no_photos() -> None:
    needs = ClipT(encoder="clip", text="class", scale=1.0, clamp=False).needs
    assert needs.photos == 0
    assert set(needs.sides) == {"images", "texts"}


def test_a_text_without_direction_is_refused() -> None:
    with pytest.raises(UserError, match="CLIP-T of rex.*zeros"):
        measured("a {noun}", {"a dog": (0.0, 0.0)})
