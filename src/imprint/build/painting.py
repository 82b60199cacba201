"""Draws what the galleries of a run's subjects lack."""

import gc
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from imprint.build.assemble import COMPUTE_TYPES
from imprint.build.galleries import Drawn, Galleries
from imprint.build.judged import Judged
from imprint.build.trained import trained_family
from imprint.evaluation.batches import pictures_at_once
from imprint.evaluation.drawing import Draw, complete
from imprint.evaluation.gallery import Gallery
from imprint.evaluation.profile import Profile
from imprint.families.base import Family
from imprint.methods.merging import merge_exactly


class Lacking(NamedTuple):
    judged: Judged
    row: Drawn
    name: str
    gallery: Gallery


def draw_missing(subjects: Sequence[tuple[Judged, Galleries]], profile: Profile, device: torch.device) -> None:
    """A model is only loaded where a picture of its is missing, one at a time and once for all subjects of the run."""
    for tuned in (True, False):
        if lacking := lacking_of(subjects, tuned=tuned):
            _draw(lacking, profile, device, tuned=tuned)
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()


def lacking_of(subjects: Sequence[tuple[Judged, Galleries]], *, tuned: bool) -> list[Lacking]:
    """The galleries with missing pictures that the run's own model draws, or those that the untuned one does."""
    return [
        Lacking(judged, row, name, gallery)
        for judged, found in subjects
        for row, sets in found.items()
        for name, gallery in sets.items()
        if (row == "tuned") == tuned and gallery.missing()
    ]


def _draw(lacking: Sequence[Lacking], profile: Profile, device: torch.device, *, tuned: bool) -> None:
    one = lacking[0].judged
    paint(lacking, (_tuned(one) if tuned else one.source.model.load()).to(device), profile, device)


def paint(lacking: Sequence[Lacking], family: Family, profile: Profile, device: torch.device) -> None:
    """Draws them all with `family`."""
    for judged, row, name, gallery in lacking:
        told = " ".join(filter(None, (f"{judged.run.folder.name},", judged.name, row, name)))
        at_once = pictures_at_once(profile.batch_size, *judged.size)
        complete(gallery, drawer(family, judged, profile, device), batch_size=at_once, told=told)


def _tuned(judged: Judged) -> Family:
    family = trained_family(judged.run, scale=judged.scale, base=judged.base).family
    merge_exactly(family.roles.values())
    return family


def drawer(family: Family, judged: Judged, profile: Profile, device: torch.device) -> Draw:
    dtype = COMPUTE_TYPES[profile.precision]
    height, width = judged.size

    def draw(prompts: Sequence[str], seeds: Sequence[int]) -> list[Any]:
        with torch.no_grad(), torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            return family.generate(prompts, seeds, sampler=judged.source.model.sampler, height=height, width=width)

    return draw
