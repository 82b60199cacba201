"""imprint grid: an XY grid of pictures, along two axes of strengths, sampler settings, or settings of runs."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from imprint.errors import ConfigError, Problem
from imprint.files import write_json, write_text
from imprint.locations import locate
from imprint.provenance.base import MadeBy
from imprint.reporting.contact_sheets import ContactSheet, SheetPicture, render
from imprint.reporting.thumbnails import picture_page
from imprint.requests import as_list
from imprint.runs import Run
from imprint.verbs.generate import read_picture_request
from imprint.verbs.grid.axes import Axis, Cell, Runs, axis_of, cells_of, finished_below
from imprint.verbs.grid.pictures import CellPicture, Request, generate_cells, pictures_of

log = logging.getLogger(__name__)

NO_RUN = "no run"  # in place of the pictures of a cell without one
Pictures = Mapping[tuple[Cell, str, int], CellPicture | None]  # by cell, contact sheet and seed; None: it has no run


def main(cfg: DictConfig) -> None:
    log.info("Grid: %s", grid(cfg))


def grid(cfg: DictConfig) -> Path:
    """The page. Beside it lie a contact sheet for every prompt, the pictures, and `grid.json`, which says what made
    each."""
    request = read_picture_request(Request, cfg)
    folder = locate(request.outputs)
    runs = _runs(request)
    axes = [axis_of(name, axis.key, axis.values, runs) for name, axis in (("x", request.x), ("y", request.y))]
    x, y = axes
    cells = cells_of(x, y, runs)
    pictures = {(cell, row, seed): one for cell in cells for row, seed, one in pictures_of(cell, request, axes)}
    generate_cells([one for one in pictures.values() if one], folder, request)
    sheets = list(_contact_sheets(axes, pictures, folder, request.seeds))
    made_by = MadeBy.all_of(mix.made_by() for mix in dict.fromkeys(one.mix for one in pictures.values() if one))
    for number, sheet in enumerate(sheets):
        shown = list(dict.fromkeys(each.file for each in sheet.pictures if each.file))
        request.provenance.save(render(sheet, missing=NO_RUN), folder / _sheet_file(number), made_by, parts=shown)
    write_json(folder / "grid.json", _index(axes, pictures, sheets))
    files = [each.file for sheet in sheets for each in sheet.pictures if each.file]
    page = folder / "index.html"
    write_text(page, picture_page("grid.html.j2", files, title=_title(runs), sheets=sheets, missing=NO_RUN))
    return page


def _runs(request: Request) -> Runs:
    if (request.run is None) == (request.runs is None):
        raise ConfigError([Problem("run", request.run, "give either run=... or runs=..., a folder of finished runs.")])
    if request.run is not None:
        return Runs(tuple(Run.finished(locate(folder), trust=request.trust) for folder in as_list(request.run)), [])
    return Runs((), finished_below(locate(str(request.runs)), request.trust))


def _title(runs: Runs) -> str:
    return ", ".join(run.folder.name for run in runs.in_every_cell) or f"{len(runs.by_cell)} runs"


def _sheet_file(number: int) -> str:
    return f"prompt-{number:03d}.png"


def _contact_sheets(
    axes: Sequence[Axis], pictures: Pictures, folder: Path, seeds: Sequence[int]
) -> Iterator[ContactSheet]:
    for prompt in dict.fromkeys(prompt for _, prompt, _ in pictures):
        own = {(cell, seed): one for (cell, row, seed), one in pictures.items() if row == prompt}
        shown_seeds = () if "seed" in {axis.key for axis in axes} else tuple(seeds)
        filled = {one.recipe.prompt for one in own.values() if one}
        title = filled.pop() if prompt and len(filled) == 1 else prompt
        cells = [
            SheetPicture(cell.x, cell.y, seed, folder / one.file if one else None, _about(one))
            for (cell, seed), one in own.items()
        ]
        yield ContactSheet(title, axes[0].heading, axes[0].labels, axes[1].heading, axes[1].labels, shown_seeds, cells)


def _about(picture: CellPicture | None) -> str:
    if picture is None:
        return "no finished run has these settings"
    return f"{picture.recipe.prompt}, seed {picture.recipe.seed}"


def _index(axes: Sequence[Axis], pictures: Pictures, sheets: Sequence[ContactSheet]) -> dict[str, Any]:
    return {
        "x": {"key": axes[0].key, "values": axes[0].values},
        "y": {"key": axes[1].key, "values": axes[1].values},
        "sheets": {_sheet_file(number): sheet.prompt for number, sheet in enumerate(sheets)},
        "pictures": [
            {
                "x": cell.x,
                "y": cell.y,
                "file": one.file if one else None,
                **({"prompt": one.recipe.prompt, "seed": one.recipe.seed, **one.recipe.facts} if one else {}),
            }
            for (cell, _, _), one in pictures.items()
        ],
    }
