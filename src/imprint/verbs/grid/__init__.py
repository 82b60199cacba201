"""imprint grid: an XY grid of pictures, along two axes of strengths, sampler settings, or settings of runs."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from imprint.errors import ConfigError, Faults, Problem
from imprint.files import write_json, write_text
from imprint.locations import locate
from imprint.pictures.low import LOW
from imprint.reporting.contact_sheets import ContactSheet, SheetPicture, render
from imprint.reporting.thumbnails import picture_page
from imprint.reporting.upscaling_sheet import UPSCALER, label_of
from imprint.requests import as_list
from imprint.results.picture_request import read_picture_request
from imprint.runs import Run
from imprint.verbs.grid.axes import Axis, Runs, axis_of, cells_of, finished_below
from imprint.verbs.grid.drawing import draw
from imprint.verbs.grid.pictures import PICTURES, CellPicture, Pictures, Request, in_grid, pictures_of

log = logging.getLogger(__name__)

NO_RUN = "no run"  # in place of the pictures of a cell without one


def main(cfg: DictConfig) -> None:
    log.info("Grid: %s", grid(cfg))


def grid(cfg: DictConfig) -> Path:
    """The page. Beside it lie a contact sheet for every prompt and every picture that is enlarged, the pictures, and
    `grid.json`, which says what made each."""
    request = read_picture_request(Request, cfg)
    folder = locate(request.outputs)
    runs = _runs(request)
    x, y = axes = _axes(request, runs)
    faults = Faults()
    pictures = pictures_of(cells_of(x, y, runs), request, faults)
    made_by = draw((one for one in pictures.values() if one), folder / PICTURES, request, faults)
    sheets = list(_contact_sheets(axes, pictures, folder, request.seeds))
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


def _axes(request: Request, runs: Runs) -> tuple[Axis, Axis]:
    faults, found = Faults(), []
    for name, axis in (("x", request.x), ("y", request.y)):
        with faults.gathered():
            found.append(axis_of(name, axis.key, axis.values, runs))
    faults.tell()
    x, y = found
    return x, y


def _title(runs: Runs) -> str:
    return ", ".join(run.folder.name for run in runs.in_every_cell) or f"{len(runs.by_cell)} runs"


def _sheet_file(number: int) -> str:
    return f"prompt-{number:03d}.png"


def _contact_sheets(
    axes: Sequence[Axis], pictures: Pictures, folder: Path, seeds: Sequence[int]
) -> Iterator[ContactSheet]:
    for sheet in dict.fromkeys(sheet for _, sheet, _ in pictures):
        own = {(cell, seed): one for (cell, row, seed), one in pictures.items() if row == sheet}
        shown_seeds = () if "seed" in {axis.key for axis in axes} else tuple(seeds)
        filled = {one.recipe.prompt for one in own.values() if one}
        prompt = filled.pop() if sheet.prompt and len(filled) == 1 else sheet.prompt
        title = " · ".join(filter(None, (prompt, sheet.picture)))
        cells = [
            SheetPicture(cell.x, cell.y, seed, folder / one.file if one else None, _about(one))
            for (cell, seed), one in own.items()
        ]
        yield ContactSheet(title, axes[0].heading, axes[0].labels, axes[1].heading, axes[1].labels, shown_seeds, cells)


def _about(picture: CellPicture | None) -> str:
    if picture is None:
        return "no finished run has these settings"
    facts = picture.recipe.facts
    enlarged = f", enlarged by {label_of(facts[UPSCALER])}" if UPSCALER in facts else ""
    return f"{picture.recipe.prompt}, seed {picture.recipe.seed}{enlarged}"


def _index(axes: Sequence[Axis], pictures: Pictures, sheets: Sequence[ContactSheet]) -> dict[str, Any]:
    return {
        "x": {"key": axes[0].key, "values": axes[0].values},
        "y": {"key": axes[1].key, "values": axes[1].values},
        "sheets": {_sheet_file(number): sheet.prompt for number, sheet in enumerate(sheets)},
        "pictures": [{"x": cell.x, "y": cell.y, **_told(one)} for (cell, _, _), one in pictures.items()],
    }


def _told(picture: CellPicture | None) -> dict[str, Any]:
    """All that made it. Files are named as they lie in the grid's folder."""
    if picture is None:
        return {"file": None}
    recipe = picture.recipe
    low = {LOW: in_grid(recipe.facts[LOW])} if LOW in recipe.facts else {}
    return {"file": picture.file, "prompt": recipe.prompt, "seed": recipe.seed, **recipe.facts, **low}
