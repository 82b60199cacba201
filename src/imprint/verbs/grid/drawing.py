"""Draws the pictures that are not there yet."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from imprint.build import Stack, chosen
from imprint.families.base import Family
from imprint.reporting.samples import save_png
from imprint.training.trainer import available_device
from imprint.verbs.grid.request import Request
from imprint.verbs.grid.shots import Shot

log = logging.getLogger(__name__)


def draw(shots: Sequence[Shot], folder: Path, request: Request) -> None:
    """A model is loaded once, and what is drawn in the same way goes in one batch."""
    missing = {shot.file: shot for shot in shots if not (folder / shot.file).is_file()}
    states = dict.fromkeys((shot.runs, shot.base, shot.weights, shot.scale) for shot in missing.values())
    for runs, base, weights, scale in states:  # all mistakes before the first picture
        chosen(runs, weights=weights, scale=dict(scale), base=base)
    log.info("%d pictures, %d of them to draw.", len({shot.file for shot in shots}), len(missing))
    done = 0
    for runs, base in dict.fromkeys((runs, base) for runs, base, _, _ in states):
        stack = Stack(*chosen(runs, weights=None, scale={}, base=base))
        device = available_device(request.accelerator)
        for weights, scale in [state[2:] for state in states if state[:2] == (runs, base)]:
            family = stack.at(weights, dict(scale)).to(device)
            here = [s for s in missing.values() if (s.runs, s.base, s.weights, s.scale) == (runs, base, weights, scale)]
            for batch in _alike(here, request.batch_size):
                _draw_batch(family, batch, folder)
                done += len(batch)
                log.info("%d of %d", done, len(missing))


def _draw_batch(family: Family, batch: Sequence[Shot], folder: Path) -> None:
    height, width = batch[0].frame
    prompts, seeds = [shot.prompt for shot in batch], [shot.seed for shot in batch]
    with torch.no_grad():
        pictures = family.generate(prompts, seeds, sampler=batch[0].sampler, height=height, width=width)
    for shot, picture in zip(batch, pictures, strict=True):
        save_png(picture, folder / shot.file)


def _alike(shots: Sequence[Shot], size: int) -> Iterator[list[Shot]]:
    for sampler, frame in dict.fromkeys((shot.sampler, shot.frame) for shot in shots):
        own = [shot for shot in shots if (shot.sampler, shot.frame) == (sampler, frame)]
        for start in range(0, len(own), size):
            yield own[start : start + size]
