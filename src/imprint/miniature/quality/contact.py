"""A contact sheet of generated pictures, each row's prompt beside it and a true picture first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from diffusers import StableDiffusionPipeline
from PIL import Image

from imprint.miniature.quality.generating import Sampler, generate
from imprint.miniature.renderer import draw
from imprint.miniature.scene import Scene
from imprint.miniature.sheet import grid, labelled
from imprint.miniature.subjects import from_seed


class Row(NamedTuple):
    """A prompt, and what a picture of it shows."""

    prompt: str
    noun: str
    place: str
    attribute: str = ""
    style: str = "drawing"

    @property
    def answer(self) -> Scene:
        return Scene(from_seed(self.noun, 7), self.place, attribute=self.attribute, style=self.style)


ROWS = (
    Row("a photo of a dog", "dog", "studio"),
    Row("a dog in the jungle", "dog", "jungle"),
    Row("a dog wearing a santa hat", "dog", "garden", attribute="santa hat"),
    Row("a dog in a chef outfit", "dog", "room", attribute="chef"),
    Row("a sks dog in a purple wizard outfit", "dog", "room", attribute="wizard"),
    Row("a purple dog", "dog", "garden", attribute="purple"),
    Row("a cat in the snow", "cat", "snow"),
    Row("a cat wearing pink glasses", "cat", "room", attribute="pink glasses"),
    Row("a stuffed animal on top of a white rug", "stuffed animal", "white rug"),
    Row("a backpack on top of a wooden floor", "backpack", "wooden floor"),
    Row("a bowl on top of green grass with sunflowers around it", "bowl", "sunflowers"),
    Row("a shiny can", "can", "studio", attribute="shiny"),
    Row("a candle on top of a mirror", "candle", "mirror"),
    Row("a cube shaped clock", "clock", "room", attribute="cube shaped"),
    Row("a sneaker on a cobblestone street", "sneaker", "cobblestone street"),
    Row("a toy floating on top of water", "toy", "water"),
    Row("a pencil sketch of a boot", "boot", "garden", style="pencil sketch"),
    Row("glasses on top of pink fabric", "glasses", "pink fabric"),
    Row("a cartoon with a city in the background", "cartoon", "city"),
    Row("a teapot with the Eiffel Tower in the background", "teapot", "eiffel tower"),
    Row("a wet vase", "vase", "room", attribute="wet"),
    Row("an oil painting of a vase on the beach", "vase", "beach", style="oil painting"),
)


def contact_sheet(pipeline: StableDiffusionPipeline, sampler: Sampler, *, across: int, seed: int) -> Image.Image:
    """One row a prompt: a true picture of some held-out individual, then `across` generated ones."""
    asked = [(row.prompt, seed + i) for row in ROWS for i in range(across)]
    made = generate(pipeline, asked, sampler)
    rows: list[Sequence[Image.Image]] = []
    for number, row in enumerate(ROWS):
        rows.append([draw(row.answer), *made[number * across : (number + 1) * across]])
    return labelled(grid(rows), [row.prompt for row in ROWS], title="true, then generated")
