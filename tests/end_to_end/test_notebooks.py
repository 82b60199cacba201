"""Every notebook runs from top to bottom, and is kept without what it printed."""

import re
from pathlib import Path

import nbformat
import pytest
from composed import compose
from nbclient import NotebookClient

from imprint.locations import locate

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
SHORT = "model.sampler.steps=2 trainer.accelerator=cpu"
STEPS = {"quick_start": "hparams.steps=4 samples.seeds=[0]", "compare_methods": "hparams.steps=4 samples.seeds=[0]"}
AXIS = "hparams.steps=2,4"  # of the others, which are about grids


def by_name(path: Path) -> str:
    return path.stem


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=by_name)
def test_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for missing in _missing():
        pytest.skip(f"the default run needs {missing}, which is not there")
    monkeypatch.setenv("IMPRINT_OVERRIDES", f"{SHORT} {STEPS.get(path.stem, AXIS)}")
    NotebookClient(
        nbformat.read(path, as_version=4),
        timeout=300,
        startup_timeout=180,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    assert list(tmp_path.glob("outputs/*/result")), "nothing was trained"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=by_name)
def test_a_notebook_is_kept_without_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert not [cell.source for cell in cells if cell.outputs or cell.execution_count]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=by_name)
def test_a_notebook_defines_nothing(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    lines = [line for cell in cells for line in cell.source.splitlines()]
    assert not [line for line in lines if re.match(r"\s*(async )?(def|class)\b", line)]


def _missing() -> list[str]:
    """What the default configuration names and nobody has put there yet."""
    cfg = compose("train")
    return [path for path in (cfg.model.source, cfg.dataset.path) if not locate(path).exists()]
