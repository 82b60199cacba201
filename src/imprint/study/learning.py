"""Learns the cells that a study lacks, together with other processes that carry out the same study.

Each cell is locked while it is learned (`claims.py`), so none is learned twice, and a killed process leaves its cell to
the others.
"""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from imprint.claims import POLL_INTERVAL, claimed
from imprint.study.cells import FOLDER, Cell, file_of, read, write
from imprint.study.learners.base import Tools

log = logging.getLogger(__name__)

CLAIMS = ".claims"  # in the folder of the cells


def missing(folder: Path, cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if read(folder, cell) is None]


def learn_missing(folder: Path, cells: Sequence[Cell], tools: Tools) -> None:
    """Returns when all cells are there, whichever process learned them."""
    left = missing(folder, cells)
    has_waited = False
    while left:
        learned = [cell for cell in left if _learn(folder, cell, cells, tools)]
        left = missing(folder, left)
        if left and not learned:
            if not has_waited:
                log.info("%d of %d cells are being learned by another process: waiting for it.", len(left), len(cells))
                has_waited = True
            time.sleep(POLL_INTERVAL)
    if (claims := folder / FOLDER / CLAIMS).is_dir():  # who is killed when its cell is there leaves the lock
        for cell in cells:
            with claimed(claims, [cell.identity]):
                pass


def _learn(folder: Path, cell: Cell, cells: Sequence[Cell], tools: Tools) -> bool:
    """Whether it was learned here: not where another process is at it, or has been."""
    with claimed(folder / FOLDER / CLAIMS, [cell.identity]) as own:
        if not own or read(folder, cell) is not None:
            return False
        result = cell.run(tools)
        write(folder, cell, result)
    there = sum(file_of(folder, one).is_file() for one in cells)
    log.info("%d of %d: %s, %.1f s", there, len(cells), cell.said, result.seconds)
    return True
