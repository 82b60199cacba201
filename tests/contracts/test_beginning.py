"""Pictures that begin with pictures: the same as by the library's own pipelines, where it has one, and for every family
what is kept stays."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from beginnings import BY_THE_LIBRARY, by_default, by_the_library, image_to_image, spots
from diffusers.image_processor import VaeImageProcessor
from drawing import PROMPTS, ROUNDING, SEEDS, distance, given
from families import FAMILIES, load_tiny
from PIL import Image
from tiny import RESOLUTION

from imprint.errors import UserError
from imprint.models.base import Model
from imprint.models.beginning import encoded, first_step
from imprint.models.sampler import generator_of
from imprint.types import Beginning, Sampler

BEGINNINGS = [spots(0), spots(1)]
LEFT_HALF = Image.new("L", (RESOLUTION, RESOLUTION))
LEFT, RIGHT = (0, 0, RESOLUTION // 2, RESOLUTION), (RESOLUTION // 2, 0, RESOLUTION, RESOLUTION)
LEFT_HALF.paste(255, LEFT)


def drawn(
    model: Model,
    beginnings: Sequence[Image.Image],
    strength: float,
    sampler: Sampler,
    *,
    kept: Image.Image | None = None,
) -> list[Image.Image]:
    beginning = Beginning(beginnings, strength, None if kept is None else [kept] * len(beginnings))
    more = {"height": RESOLUTION, "width": RESOLUTION, **given(model, len(beginnings))}
    return model.generate(
        PROMPTS[: len(beginnings)], SEEDS[: len(beginnings)], sampler=sampler, beginning=beginning, **more
    )


@pytest.mark.parametrize("strength", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("choice", BY_THE_LIBRARY)
def test_a_picture_with_noise_is_drawn_as_by_the_stock_pipeline(
    choice: str, strength: float, tiny_folder: Callable[[str], Path]
) -> None:
    folder = tiny_folder(choice)
    pipeline = image_to_image(folder)
    theirs = [
        by_the_library(choice, pipeline, prompt, picture, strength, seed=seed)
        for prompt, picture, seed in zip(PROMPTS, BEGINNINGS, SEEDS, strict=True)
    ]
    assert distance(drawn(load_tiny(folder), BEGINNINGS, strength, by_default(choice)), theirs) <= ROUNDING


@pytest.mark.parametrize("choice", FAMILIES)
def test_what_is_kept_stays_and_the_rest_is_drawn(choice: str, tiny_folder: Callable[[str], Path]) -> None:
    model, sampler, one = load_tiny(tiny_folder(choice)), by_default(choice), BEGINNINGS[:1]
    with torch.no_grad():
        latents = encoded(model, one, [generator_of(SEEDS[0])], torch.device("cpu"))
        there_and_back = VaeImageProcessor().postprocess(model.decode(latents))
    white, black = (Image.new("L", LEFT_HALF.size, level) for level in (255, 0))
    assert distance(drawn(model, one, 0.7, sampler, kept=white), there_and_back) <= ROUNDING
    free = drawn(model, one, 0.7, sampler)
    assert distance(drawn(model, one, 0.7, sampler, kept=black), free) <= ROUNDING
    assert distance(free, there_and_back) > 5 * ROUNDING
    half = drawn(model, one, 0.7, sampler, kept=LEFT_HALF)
    left, right = (change(half[0], there_and_back[0], box) for box in (LEFT, RIGHT))
    assert left < right
    assert change(half[0], there_and_back[0], LEFT) < change(free[0], there_and_back[0], LEFT)


@pytest.mark.parametrize("choice", FAMILIES)
def test_at_full_strength_nothing_is_left_of_what_is_not_kept(choice: str, tiny_folder: Callable[[str], Path]) -> None:
    model, sampler = load_tiny(tiny_folder(choice)), by_default(choice)
    other = BEGINNINGS[0].copy()
    other.paste((10, 200, 30), RIGHT)
    black = Image.new("L", LEFT_HALF.size)
    some, others = (drawn(model, [begun], 1.0, sampler, kept=black) for begun in (BEGINNINGS[0], other))
    assert distance(some, others) <= ROUNDING


@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "HeunDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_a_picture_does_not_depend_on_its_batch_or_the_sampler_on_the_networks(tiny_sd: Path, scheduler: str) -> None:
    model, sampler = load_tiny(tiny_sd), by_default("sd", scheduler)
    both = drawn(model, BEGINNINGS, 0.5, sampler, kept=LEFT_HALF)
    assert distance(both[:1], drawn(model, BEGINNINGS[:1], 0.5, sampler, kept=LEFT_HALF)) <= ROUNDING


def test_a_strength_that_leaves_no_step_is_refused(tiny_sd: Path) -> None:
    with pytest.raises(UserError, match=r"strength=0.1: of 5 steps this leaves none. Give at least 0.2, or more steps"):
        drawn(load_tiny(tiny_sd), BEGINNINGS, 0.1, by_default("sd"))


@pytest.mark.parametrize(
    ("strength", "flow", "first"), [(1.0, True, 0), (0.5, True, 2), (0.5, False, 3), (0.2, True, 4)]
)
def test_the_first_step_is_rounded_as_the_library_does(strength: float, flow: bool, first: int) -> None:
    assert first_step(5, strength, flow=flow) == first


def change(some: Image.Image, other: Image.Image, box: tuple[int, int, int, int]) -> float:
    """On average, in levels of 255."""
    a, b = (np.asarray(picture.crop(box), dtype=float) for picture in (some, other))
    return float(np.abs(a - b).mean())
