"""imprint grid: pictures along two axes of strengths, ways of drawing, or settings of runs."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from imprint.errors import ConfigError, Problem
from imprint.locations import locate
from imprint.requests import read_request
from imprint.runs import Run
from imprint.verbs.generate import as_list
from imprint.verbs.grid.axes import Runs, axis_of, cells_of, matching
from imprint.verbs.grid.page import write_page
from imprint.verbs.grid.shots import Request, draw, shots_of

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> None:
    log.info("Grid: %s", grid(cfg))


def grid(cfg: DictConfig) -> Path:
    """The page. Beside it lie a sheet for every prompt, the pictures, and `grid.json`, which says what made each."""
    request = read_request(Request, cfg)
    folder = locate(request.outputs)
    runs = _runs(request)
    axes = [axis_of(name, axis.key, axis.values, runs) for name, axis in (("x", request.x), ("y", request.y))]
    x, y = axes
    cells = cells_of(x, y, runs)
    asked = {(cell, prompt, seed): shot for cell in cells for prompt, seed, shot in shots_of(cell, request, axes)}
    draw([shot for shot in asked.values() if shot], folder, request)
    return write_page(axes, asked, folder, seeds=request.seeds, title=_title(runs))


def _runs(request: Request) -> Runs:
    if (request.run is None) == (request.runs is None):
        raise ConfigError([Problem("run", request.run, "give either run=... or runs=..., a folder of finished runs.")])
    if request.run is not None:
        return Runs(tuple(Run.finished(locate(folder), trust=request.trust) for folder in as_list(request.run)), [])
    return Runs((), matching(locate(str(request.runs)), request.trust))


def _title(runs: Runs) -> str:
    if runs.fixed:
        return ", ".join(run.folder.name for run in runs.fixed)
    return f"{len(runs.found)} runs"
