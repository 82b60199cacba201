"""What an upscaler enlarges for the sample pictures of its training: the low side of what it is trained on."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from imprint.data.framing import Frame
from imprint.pictures.store import Recipe
from imprint.training.module import TrainingModule
from imprint.types import LowRes


class LowViews:
    """A picture's seed chooses the view, of the subject that its prompt names; without an identifier, of any."""

    def __init__(self, module: TrainingModule) -> None:
        self._side = module.model.low_side
        self._stream = module.task.feed.stream
        self._concepts = module.concepts
        self._device = module.device

    def __call__(self, recipes: Sequence[Recipe]) -> LowRes:
        return LowRes([self._low(recipe) for recipe in recipes], None)

    def _low(self, recipe: Recipe) -> Image.Image:
        named = [number for number, concept in enumerate(self._concepts) if concept.is_in(recipe.prompt)]
        views = self._stream.whole_views(named or range(len(self._concepts)), Frame(*recipe.size))
        pixels_CHW = self._stream.pixels_of(views[recipe.seed % len(views)])
        assert self._side is not None
        return as_picture(self._side.of(pixels_CHW[None].to(self._device))[0])


def as_picture(pixels_CHW: torch.Tensor) -> Image.Image:
    levels_HWC = ((pixels_CHW.cpu().permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255)
    return Image.fromarray(levels_HWC.numpy().astype(np.uint8))
