"""Sizes that no memory here holds, found before anything is loaded: a system ends a program that takes too much,
without a word.

What is compared is the least that must be in memory at once. A size that passes may still be too large.
"""

import logging
from collections.abc import Iterator

import torch

from imprint.errors import Problem
from imprint.methods.base import Method
from imprint.models.base import ModelSource
from imprint.models.facts import ModelInfo
from imprint.reporting.units import memory
from imprint.training.hparams import HParams
from imprint.training.memory import total_memory
from imprint.training.trainer import TrainerSettings

log = logging.getLogger(__name__)

SMALL_RANK = 64  # adapters of no higher one are small beside any network
LATENT_CHANNELS = 4  # no autoencoder has fewer
BYTES = 4  # of a number: what learns is in float32
COPIES = 2  # what learns, and its gradients


def too_large_pictures(facts: ModelInfo, key: str, size: tuple[int, int], device: torch.device) -> Iterator[Problem]:
    """`key` gave the height and width of the pictures."""
    height, width = size
    value = height if height == width else list(size)
    yield from _beyond(device, key, value, facts.pixel_bytes * height * width, "a single picture takes")


def too_large_batches(facts: ModelInfo, hparams: HParams, trainer: TrainerSettings) -> Iterator[Problem]:
    """Of a pass: latents, noise, target and prediction of every sample are in memory together."""
    samples = hparams.batch_size // (trainer.world_size * trainer.accumulation)
    needed = samples * 4 * BYTES * LATENT_CHANNELS * (facts.resolution // facts.pixel_multiple) ** 2
    yield from _beyond(trainer.device, "hparams.batch_size", hparams.batch_size, needed, "one pass takes")


def too_large_ranks(method: Method, source: ModelSource, device: torch.device) -> Iterator[Problem]:
    """Warns of ranks that layers cannot use."""
    if (rank := method.largest_rank) <= SMALL_RANK:
        return
    key, added = f"method.{method.rank_key}", method.added_to(source.meta_model())
    problems = list(_beyond(device, key, rank, COPIES * BYTES * added.numbers, "what learns takes"))
    yield from problems
    if not problems and added.usable_rank < rank:
        log.warning("%s=%d: no layer that learns can use more than rank %d.", key, rank, added.usable_rank)


def _beyond(device: torch.device, key: str, value: object, needed: int, what: str) -> Iterator[Problem]:
    there = total_memory(device)
    if there is not None and needed > there:
        remedy = f"{what} {memory(needed)} or more, and there are {memory(there)}. Choose a smaller one."
        yield Problem(key, value, remedy)
