"""Draws the pictures of an XY grid that are missing, once there is nothing to say against any of them."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from imprint.errors import Faults
from imprint.models.residency import reclaim
from imprint.pictures.passes import Passes
from imprint.pictures.second_pass import Wanted
from imprint.provenance.base import MadeBy
from imprint.results.combine import CombinedModel
from imprint.results.enlarging import Enlarging, LargePicture
from imprint.results.mix import Mix, check_second_passes, check_size, passes_of
from imprint.training.trainer import available_device
from imprint.verbs.grid.pictures import CellPicture, Request

log = logging.getLogger(__name__)


def draw(pictures: Iterable[CellPicture], folder: Path, request: Request, faults: Faults) -> MadeBy:
    """Returns by what they are drawn. A model is loaded once, and pictures of one mix are drawn in batches. Raises
    UserError, before the first, with all that is wrong, `faults` included."""
    cells = list(pictures)
    by_mix: dict[Mix, dict[str, Wanted]] = {}
    for one in cells:
        if wanted := one.drawn:
            by_mix.setdefault(one.mix, {})[wanted.recipe.file] = wanted
    passes = {mix: passes_of(mix, folder, list(wanted.values()), request.provenance) for mix, wanted in by_mix.items()}
    enlarging = Enlarging([one.shown for one in cells if isinstance(one.shown, LargePicture)], folder=folder)
    missing = {mix: store for mix, store in passes.items() if store.missing()}
    device = available_device(request.accelerator)
    with faults.gathered():
        check_second_passes([(mix, one) for mix, wanted in by_mix.items() for one in wanted.values()], request)
    with faults.gathered():
        enlarging.check(device)
    for mix in missing:
        with faults.gathered():
            check_size(mix, request)
    faults.tell()
    asked = sum(map(len, by_mix.values())) + len(enlarging)
    drawn = sum(store.missing() for store in missing.values()) + enlarging.missing()
    log.info("%d pictures are asked for, %d are to be drawn.", asked, drawn)
    _draw(missing, request)
    for store in passes.values():
        store.rewrite()
    if len(enlarging):
        reclaim()
        enlarging.draw(request.provenance, precision="32", device=device)
        if request.upscaler.sheet:
            enlarging.save_sheet(request.provenance)
    return MadeBy.all_of([*(mix.made_by() for mix in passes), enlarging.made_by()])


def _draw(missing: Mapping[Mix, Passes], request: Request) -> None:
    """With models that are in memory for as long as this takes."""
    device = available_device(request.accelerator)
    for runs, base in dict.fromkeys((mix.runs, mix.base) for mix in missing):
        whole = Mix(runs=runs, weights=None, scale=(), base=base, rank=None, precision="32", as_trained=False)
        combined = CombinedModel(*whole.chosen())
        for number, (mix, store) in enumerate(missing.items(), start=1):
            if (mix.runs, mix.base) == (runs, base):
                model = combined.at(mix.weights, dict(mix.scale)).to(device)
                store.draw(model, batch_size=request.batch_size, label=f"Cells {number} of {len(missing)}")
