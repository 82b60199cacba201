"""imprint grid: pictures along two axes of strengths, ways of drawing, or settings of runs."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

import torch
from omegaconf import DictConfig
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from imprint.build import Stack, chosen, named_apart
from imprint.config import signature
from imprint.errors import ConfigError, Problem, UserError
from imprint.families.base import Family
from imprint.files import write_json, write_text
from imprint.generate import Scale, as_list
from imprint.gridding import Axis, Cell, Runs, axis_of, cells_of, matching
from imprint.locations import locate
from imprint.reporting.matrix import Matrix, MatrixPicture, grid_page, sheet
from imprint.reporting.samples import save_png
from imprint.requests import read_request
from imprint.runs import Run
from imprint.training.trainer import available_device
from imprint.types import Concept, Sampler, prompts_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AxisRequest:
    key: str | None
    values: list[Any] | None


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `grid.yaml` asks for."""

    run: str | list[str] | None
    runs: str | None
    x: AxisRequest
    y: AxisRequest
    prompt: str | list[str]
    seeds: list[NonNegativeInt]
    weights: list[float] | None
    base: str | None
    steps: PositiveInt | None
    guidance: NonNegativeFloat | None
    scheduler: str | None
    negative_prompt: str | None
    size: tuple[PositiveInt, PositiveInt] | None
    batch_size: PositiveInt
    scale: Scale
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    outputs: str


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A picture of a cell. Equal shots are one file, in whichever grid they are asked for."""

    runs: tuple[Run, ...]
    weights: tuple[float, ...] | None
    scale: tuple[tuple[str, float], ...]
    base: str | None
    sampler: Sampler
    frame: tuple[int, int]
    prompt: str
    seed: int

    @property
    def file(self) -> str:
        settings = {
            "runs": [run.signature for run in self.runs],
            "model": [run.read()["content"]["model"] for run in self.runs],
            "weights": self.weights,
            "scale": dict(self.scale),
            "base": self.base,
            "sampler": self.sampler._asdict(),
            "frame": self.frame,
            "prompt": self.prompt,
            "seed": self.seed,
        }
        return f"pictures/{signature(settings)}.png"


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
    asked = {(cell, prompt, seed): shot for cell in cells for prompt, seed, shot in _shots(cell, request, axes)}
    _draw([shot for shot in asked.values() if shot], folder, request)
    matrices = list(_matrices(axes, asked, folder, request))
    for number, matrix in enumerate(matrices):
        save_png(sheet(matrix), folder / f"prompt-{number:03d}.png")
    write_json(folder / "grid.json", _index(axes, asked, matrices))
    write_text(folder / "index.html", grid_page(_title(runs), matrices))
    return folder / "index.html"


def _runs(request: Request) -> Runs:
    if (request.run is None) == (request.runs is None):
        raise ConfigError([Problem("run", request.run, "give either run=... or runs=..., a folder of finished runs.")])
    if request.run is not None:
        return Runs(tuple(Run.finished(locate(folder)) for folder in as_list(request.run)), [])
    return Runs((), matching(locate(str(request.runs))))


def _shots(cell: Cell, request: Request, axes: Sequence[Axis]) -> Iterator[tuple[str, int, Shot | None]]:
    """(row of the sheet, seed, picture) for all that a cell shows; None where no run has its settings."""
    of_cell = dict(cell.drawing)
    keys = {axis.key for axis in axes}
    prompts = ["" if "prompt" in keys else prompt for prompt in as_list(request.prompt)]
    seeds = [0] if "seed" in keys else request.seeds
    for prompt, seed in product(dict.fromkeys(prompts), seeds):
        if not cell.runs:
            yield prompt, seed, None
            continue
        weights = of_cell.get("weights", request.weights)
        scale = {"denoiser": request.scale.unet, "text": request.scale.text}
        scale |= {"denoiser" if key == "scale.unet" else "text": v for key, v in of_cell.items() if key in SCALES}
        height, width = request.size or cell.runs[0].read()["frame"]
        shot = Shot(
            runs=cell.runs,
            weights=None if weights is None else tuple(float(weight) for weight in weights),
            scale=tuple((role, float(strength)) for role, strength in scale.items()),
            base=request.base,
            sampler=_sampler(cell.runs[0], request, of_cell),
            frame=(height, width),
            prompt=_filled(str(of_cell.get("prompt", prompt)), cell.runs),
            seed=int(of_cell.get("seed", seed)),
        )
        yield prompt, seed, shot


SCALES = ("scale.unet", "scale.text")


def _sampler(run: Run, request: Request, of_cell: Mapping[str, Any]) -> Sampler:
    usual = {name: value for name, value in run.read()["config"]["model"]["sampler"].items() if name != "_target_"}
    given = {name: getattr(request, name) for name in Sampler._fields if getattr(request, name) is not None}
    own = {name: value for name, value in of_cell.items() if name in Sampler._fields}
    return Sampler(**{**usual, **given, **own})


def _filled(template: str, runs: Sequence[Run]) -> str:
    concepts: Sequence[Concept] = runs[0].concepts if len(runs) == 1 else named_apart([run.concepts for run in runs])
    try:
        filled = prompts_of(template, concepts)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise UserError(f"prompt={template!r}: only {{identifier}} and {{noun}} are replaced ({error}).") from error
    if len(filled) > 1:
        names = " or ".join(f"{{{concept.name}.identifier}}" for concept in concepts)
        raise UserError(f"prompt={template!r}: say which of the subjects is meant: {names}.")
    return filled[0]


def _draw(shots: Sequence[Shot], folder: Path, request: Request) -> None:
    """What is not there yet. A model is loaded once, and what is drawn in the same way goes in one batch."""
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


def _matrices(
    axes: Sequence[Axis], asked: Mapping[tuple[Cell, str, int], Shot | None], folder: Path, request: Request
) -> Iterator[Matrix]:
    for prompt in dict.fromkeys(prompt for _, prompt, _ in asked):
        pictures = [
            MatrixPicture(cell.x, cell.y, seed, folder / shot.file if shot else None, _told(shot))
            for (cell, row, seed), shot in asked.items()
            if row == prompt
        ]
        seeds = () if "seed" in {axis.key for axis in axes} else tuple(request.seeds)
        shown = {shot.prompt for (_, row, _), shot in asked.items() if row == prompt and shot}
        title = shown.pop() if prompt and len(shown) == 1 else prompt
        yield Matrix(title, axes[0].heading, axes[0].labels, axes[1].heading, axes[1].labels, seeds, pictures)


def _told(shot: Shot | None) -> str:
    return "no finished run has these settings" if shot is None else f"{shot.prompt}, seed {shot.seed}"


def _index(
    axes: Sequence[Axis], asked: Mapping[tuple[Cell, str, int], Shot | None], matrices: Sequence[Matrix]
) -> dict[str, Any]:
    return {
        "x": {"key": axes[0].key, "values": axes[0].values},
        "y": {"key": axes[1].key, "values": axes[1].values},
        "sheets": {f"prompt-{number:03d}.png": matrix.prompt for number, matrix in enumerate(matrices)},
        "pictures": [
            {
                "x": cell.x,
                "y": cell.y,
                "file": shot.file if shot else None,
                **({"runs": [run.folder.name for run in shot.runs], **_settings(shot)} if shot else {}),
            }
            for (cell, _, _), shot in asked.items()
        ],
    }


def _settings(shot: Shot) -> dict[str, Any]:
    return {
        "prompt": shot.prompt,
        "seed": shot.seed,
        "weights": shot.weights,
        "scale": dict(shot.scale),
        "base": shot.base,
        "sampler": shot.sampler._asdict(),
    }


def _title(runs: Runs) -> str:
    if runs.fixed:
        return ", ".join(run.folder.name for run in runs.fixed)
    return f"{len(runs.found)} runs"
