"""What is written beside the pictures: a sheet for every prompt, the page, and the index."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from imprint.files import write_json, write_text
from imprint.pictures.files import save_png
from imprint.reporting.matrix import Matrix, MatrixPicture, grid_page, sheet
from imprint.verbs.grid.axes import Axis, Cell
from imprint.verbs.grid.shots import Shot

Asked = Mapping[tuple[Cell, str, int], Shot | None]  # by cell, row of the sheet, and seed; None: no run is there


def write_page(axes: Sequence[Axis], asked: Asked, folder: Path, *, seeds: Sequence[int], title: str) -> Path:
    """Returns the page."""
    matrices = list(_matrices(axes, asked, folder, seeds))
    for number, matrix in enumerate(matrices):
        save_png(sheet(matrix), folder / f"prompt-{number:03d}.png")
    write_json(folder / "grid.json", _index(axes, asked, matrices))
    write_text(folder / "index.html", grid_page(title, matrices))
    return folder / "index.html"


def _matrices(axes: Sequence[Axis], asked: Asked, folder: Path, seeds: Sequence[int]) -> Iterator[Matrix]:
    for prompt in dict.fromkeys(prompt for _, prompt, _ in asked):
        pictures = [
            MatrixPicture(cell.x, cell.y, seed, folder / shot.file if shot else None, _told(shot))
            for (cell, row, seed), shot in asked.items()
            if row == prompt
        ]
        shown_seeds = () if "seed" in {axis.key for axis in axes} else tuple(seeds)
        shown = {shot.recipe.prompt for (_, row, _), shot in asked.items() if row == prompt and shot}
        title = shown.pop() if prompt and len(shown) == 1 else prompt
        yield Matrix(title, axes[0].heading, axes[0].labels, axes[1].heading, axes[1].labels, shown_seeds, pictures)


def _told(shot: Shot | None) -> str:
    return f"{shot.recipe.prompt}, seed {shot.recipe.seed}" if shot else "no finished run has these settings"


def _index(axes: Sequence[Axis], asked: Asked, matrices: Sequence[Matrix]) -> dict[str, Any]:
    return {
        "x": {"key": axes[0].key, "values": axes[0].values},
        "y": {"key": axes[1].key, "values": axes[1].values},
        "sheets": {f"prompt-{number:03d}.png": matrix.prompt for number, matrix in enumerate(matrices)},
        "pictures": [
            {
                "x": cell.x,
                "y": cell.y,
                "file": shot.file if shot else None,
                **({"prompt": shot.recipe.prompt, "seed": shot.recipe.seed, **shot.recipe.facts} if shot else {}),
            }
            for (cell, _, _), shot in asked.items()
        ],
    }
