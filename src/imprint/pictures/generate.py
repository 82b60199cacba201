"""Generates the pictures that a store lacks, together with other processes that work on the same store.

Each picture is locked while it is generated (`claims.py`).
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from PIL import Image

from imprint.claims import POLL_INTERVAL, claimed
from imprint.errors import UserError
from imprint.models.base import Model
from imprint.partial_files import remove_abandoned
from imprint.pictures.store import PictureStore, Recipe
from imprint.types import LowRes

log = logging.getLogger(__name__)

Generate = Callable[[Sequence[Recipe]], Sequence[Image.Image]]  # from recipes with one sampler and size
Enlarged = Callable[[Sequence[Recipe]], LowRes]

BATCH_PIXELS = 8 * 512**2  # in a batch, for a GPU of the usual size to hold; not measured on one
LARGEST_BATCH = 32  # of small pictures, with guidance 64 samples: a CPU's core is no faster with more
LOG_INTERVAL = 10.0  # seconds between messages about the progress


def generate_with(model: Model, low_res: Enlarged | None = None) -> Generate:
    """`low_res`: what an upscaler enlarges."""

    def generate(recipes: Sequence[Recipe]) -> list[Image.Image]:
        prompts, seeds = [recipe.prompt for recipe in recipes], [recipe.seed for recipe in recipes]
        height, width = recipes[0].size
        more: dict[str, Any] = {} if low_res is None else {"low_res": low_res(recipes)}
        with torch.no_grad():
            return model.generate(prompts, seeds, sampler=recipes[0].sampler, height=height, width=width, **more)

    return generate


def generate_missing(
    store: PictureStore, generate: Generate, *, batch_size: int | None, label: str | None, counts_failures: bool
) -> None:
    """Returns when every picture is there, whichever process made it. `batch_size` changes memory and speed alone; None
    goes by the pictures' size. `label` is what they are called in messages; with None there are no messages.

    An error is raised as it is where a picture cannot even be generated alone. With `counts_failures` it is noted in
    the store instead, and UserError is raised only if not a single picture could be generated.
    """
    remove_abandoned(store.folder)
    missing = store.missing()
    if not missing:
        store.complete_index()
        return
    say = log.info if label else log.debug
    say("%s: %d of %d pictures are to be drawn.", label, len(missing), len(store.recipes))
    generated, next_message = 0, time.monotonic() + LOG_INTERVAL
    while missing:
        batches = _batches(missing, batch_size)
        new = next(filter(None, (_generate_batch(store, generate, batch, counts_failures) for batch in batches)), 0)
        missing = store.missing()
        generated += new
        if time.monotonic() > next_message:
            say("%s: %d of %d", label, len(store.recipes) - len(missing), len(store.recipes))
            next_message = time.monotonic() + LOG_INTERVAL
        if missing and not new:
            time.sleep(POLL_INTERVAL)
    states = [outcome.state for outcome in store.outcomes()]
    if all(state == "failed" for state in states):
        raise UserError(
            f"{label}: not one of {len(states)} pictures could be drawn ({store.reasons[0]}). If it is memory, a "
            "smaller batch_size takes less, and so does precision=bf16-mixed."
        )
    wrong = "".join(f", {states.count(state)} {state}" for state in ("blank", "failed") if state in states)
    say("%s: %d pictures, %d of them drawn now%s", label, len(states), generated, wrong)


def largest_batch(batch_size: int | None, size: tuple[int, int]) -> int:
    """How many pictures of this size are drawn at a time."""
    height, width = size
    return batch_size or max(1, min(LARGEST_BATCH, BATCH_PIXELS // (height * width)))


def _batches(missing: Sequence[Recipe], batch_size: int | None) -> Iterator[list[Recipe]]:
    """Pictures of one sampler and size each. Processes that share a store have the same ones."""
    by_kind: dict[object, list[Recipe]] = {}
    for recipe in missing:
        by_kind.setdefault((recipe.sampler, recipe.size), []).append(recipe)
    for recipes in by_kind.values():
        size = largest_batch(batch_size, recipes[0].size)
        for start in range(0, len(recipes), size):
            yield recipes[start : start + size]


def _generate_batch(store: PictureStore, generate: Generate, batch: Sequence[Recipe], counts_failures: bool) -> int:
    """Generates what no other process is generating or has generated, and returns how many that were."""
    with claimed(store.folder / ".claims", [recipe.file for recipe in batch]) as files:
        missing = {recipe.file for recipe in store.missing()} if files else set()
        own = [recipe for recipe in batch if recipe.file in missing.intersection(files)]
        pictures: list[tuple[Recipe, Image.Image | Exception]] = []
        try:
            for recipe, picture in zip(own, _generated(generate, own, counts_failures), strict=True):
                pictures.append((recipe, picture))
        finally:
            if pictures:
                store.add(pictures)
    return len(own)


def _generated(
    generate: Generate, recipes: Sequence[Recipe], counts_failures: bool
) -> Iterator[Image.Image | Exception]:
    """The pictures; where the batch fails, each is tried alone, and a failure takes its picture's place."""
    try:
        yield from generate(recipes) if recipes else ()
        return
    except UserError:
        raise
    except Exception as error:
        if len(recipes) == 1 and not counts_failures:
            raise
        failure = error.with_traceback(None)  # which would keep what the batch had in memory
    if len(recipes) == 1:
        log.warning("A picture could not be drawn (%r): %s", recipes[0].prompt, failure)
        yield failure
        return
    log.warning("A batch of %d could not be drawn (%s). Each is tried alone.", len(recipes), failure)
    for recipe in recipes:
        yield from _generated(generate, [recipe], counts_failures)
