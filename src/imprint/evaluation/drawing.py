"""Draws what galleries lack, together with whichever other processes do the same."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence

from PIL import Image

from imprint.draws import seed_of
from imprint.errors import UserError
from imprint.evaluation.claims import claimed
from imprint.evaluation.gallery import Gallery, Order
from imprint.evaluation.records import Asked

log = logging.getLogger(__name__)

Draw = Callable[[Sequence[str], Sequence[int]], list[Image.Image]]  # prompts, seeds -> pictures
PATIENCE = 0.2  # seconds between looks at what others draw
SILENCE = 10.0  # seconds between words about the progress


def seed_for(subject: str, asked: Asked) -> int:
    """The seed of a picture's noise: the same for every method and every row."""
    return seed_of("evaluation", subject, asked.template, asked.k)


def complete(gallery: Gallery, draw: Draw, *, batch_size: int, told: str) -> None:
    """Returns when every picture is there or has failed, whoever drew it. `told` is what the pictures are called.

    Raises UserError where not a single one could be drawn.
    """
    claims = gallery.folder / ".claims"
    next_word = time.monotonic() + SILENCE
    while missing := gallery.missing():
        by_file = {order.file: order for order in missing}
        with claimed(claims, list(by_file), batch_size) as files:
            still = {order.file for order in gallery.missing()} if files else set()
            mine = [by_file[file] for file in files if file in still]
            if mine:
                gallery.add(list(zip(mine, _drawn(draw, mine), strict=True)))
        if not files:
            time.sleep(PATIENCE)
        if time.monotonic() > next_word:
            log.info("%s: %d of %d", told, len(gallery.shots()), len(gallery.orders))
            next_word = time.monotonic() + SILENCE
    log.info("%s: %d pictures", told, len(gallery.orders))
    _refuse_if_nothing(gallery, told)


def _drawn(draw: Draw, orders: Sequence[Order]) -> Iterator[Image.Image | Exception]:
    try:
        yield from draw([order.prompt for order in orders], [order.seed for order in orders])
    except UserError:
        raise
    except Exception as error:
        if len(orders) == 1:
            log.warning("A picture could not be drawn (%r): %s", orders[0].prompt, error)
            yield error
            return
        log.warning("A batch of %d could not be drawn (%s). Each is tried alone.", len(orders), error)
        for order in orders:
            yield from _drawn(draw, [order])


def _refuse_if_nothing(gallery: Gallery, told: str) -> None:
    shots = gallery.shots()
    if shots and all(shot.state == "failed" for shot in shots):
        raise UserError(
            f"{told}: not one of {len(shots)} pictures could be drawn ({gallery.reasons[0]}). If it is memory, lower "
            "evaluation.batch_size, or set evaluation.precision=bf16-mixed."
        )
