"""The loop that draws what a store lacks, together with whichever other processes do the same."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import takewhile
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from PIL import Image

from imprint.errors import UserError
from imprint.models.base import Model
from imprint.pictures.store import Recipe, Store

log = logging.getLogger(__name__)

Draw = Callable[[Sequence[Recipe]], Sequence[Image.Image]]  # of recipes with one sampler and size

PIXELS = 8 * 512**2  # in a batch, for a GPU of the usual size to hold; not measured on one
MOST = 32  # small pictures in a batch, with guidance 64 samples: a CPU's core is no faster with more
PATIENCE = 0.2  # seconds between looks at what others draw
SILENCE = 10.0  # seconds between words about the progress


def drawn_by(model: Model) -> Draw:
    def draw(recipes: Sequence[Recipe]) -> list[Image.Image]:
        prompts, seeds = [recipe.prompt for recipe in recipes], [recipe.seed for recipe in recipes]
        height, width = recipes[0].size
        with torch.no_grad():
            return model.generate(prompts, seeds, sampler=recipes[0].sampler, height=height, width=width)

    return draw


def fill(store: Store, draw: Draw, *, batch_size: int | None, label: str | None, counts_failures: bool) -> None:
    """Returns when every picture is there, whoever drew it. `batch_size` changes memory and speed alone; None goes by
    the pictures' size. `label` is what they are called in messages; None: nothing is said.

    A picture that cannot be drawn, not even alone, ends it with that error. With `counts_failures` it is noted in the
    store instead, and only if not a single picture could be drawn, UserError says so.
    """
    missing = store.missing()
    if not missing:
        return
    say = log.info if label else log.debug
    say("%s: %d of %d pictures are to be drawn.", label, len(missing), len(store.recipes))
    drawn_here, next_word = 0, time.monotonic() + SILENCE
    while missing:
        batches = _batches(missing, batch_size)
        new = next(filter(None, (_draw_batch(store, draw, batch, counts_failures) for batch in batches)), 0)
        missing = store.missing()
        drawn_here += new
        if time.monotonic() > next_word:
            say("%s: %d of %d", label, len(store.recipes) - len(missing), len(store.recipes))
            next_word = time.monotonic() + SILENCE
        if missing and not new:
            time.sleep(PATIENCE)
    states = [drawn.state for drawn in store.drawn()]
    if all(state == "failed" for state in states):
        raise UserError(
            f"{label}: not one of {len(states)} pictures could be drawn ({store.reasons[0]}). If it is memory, a "
            "smaller batch_size takes less, and so does precision=bf16-mixed."
        )
    wrong = "".join(f", {states.count(state)} {state}" for state in ("blank", "failed") if state in states)
    say("%s: %d pictures, %d of them drawn now%s", label, len(states), drawn_here, wrong)


def _batches(missing: Sequence[Recipe], batch_size: int | None) -> Iterator[list[Recipe]]:
    """Pictures of one sampler and size each. Processes that share a store have the same ones."""
    alike: dict[object, list[Recipe]] = {}
    for recipe in missing:
        alike.setdefault((recipe.sampler, recipe.size), []).append(recipe)
    for recipes in alike.values():
        height, width = recipes[0].size
        at_once = batch_size or max(1, min(MOST, PIXELS // (height * width)))
        for start in range(0, len(recipes), at_once):
            yield recipes[start : start + at_once]


def _draw_batch(store: Store, draw: Draw, batch: Sequence[Recipe], counts_failures: bool) -> int:
    """Draws what nobody else is drawing or has drawn, and returns how many that were."""
    with claimed(store.folder / ".claims", [recipe.file for recipe in batch]) as files:
        missing = {recipe.file for recipe in store.missing()} if files else set()
        mine = [recipe for recipe in batch if recipe.file in missing.intersection(files)]
        pictures: list[tuple[Recipe, Image.Image | Exception]] = []
        try:
            for recipe, picture in zip(mine, _drawn(draw, mine, counts_failures), strict=True):
                pictures.append((recipe, picture))
        finally:
            if pictures:
                store.add(pictures)
    return len(mine)


def _drawn(draw: Draw, recipes: Sequence[Recipe], counts_failures: bool) -> Iterator[Image.Image | Exception]:
    try:
        yield from draw(recipes) if recipes else ()
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
        yield from _drawn(draw, [recipe], counts_failures)


@contextmanager
def claimed(folder: Path, names: Sequence[str]) -> Iterator[list[str]]:
    """Yields the first of `names`, up to one that somebody else holds: of two who want the same, one gets all.

    What they stand for may have been done just before: look again. The folder is gone when nobody needs it any more.
    """
    with suppress(FileExistsError):  # it may go away between two looks of mkdir's
        folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        yield list(takewhile(lambda name: _claim(folder / f"{_safe(name)}.lock", held), names))
    with suppress(OSError):
        folder.rmdir()


def _claim(file: Path, held: ExitStack) -> bool:
    lock = FileLock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except FileNotFoundError:  # the folder went away just now: its last user has finished
        return False
    held.callback(_release, lock, file)
    return True


def _release(lock: FileLock, file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
    lock.release()


def _safe(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]
