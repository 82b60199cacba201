"""Every notebook runs from top to bottom, and is kept with what it printed."""

import re
from pathlib import Path

import nbformat
import pytest
from composed import compose
from nbclient import NotebookClient

from imprint.locations import locate

HOSTED = "hosted_gpu"  # wants a GPU and the network; its commands are checked by test_documented_commands.py
ALL = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
NOTEBOOKS = [path for path in ALL if path.stem != HOSTED]
LARGEST = 2_000_000  # bytes of a notebook with its outputs
OF_A_MACHINE = re.compile(r"/(?:home|root|tmp|work|Users|mnt)/")
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
def test_a_notebook_is_kept_as_it_ran_from_top_to_bottom(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not [output for output in outputs if output.output_type == "error"]
    texts = ["".join(output.get("text", "")) for output in outputs]
    texts += [value for output in outputs for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    assert not [text for text in texts if OF_A_MACHINE.search(text)]
    assert path.stat().st_size < LARGEST


def test_the_one_that_was_not_run_says_so() -> None:
    [path] = [path for path in ALL if path.stem == HOSTED]
    cells = nbformat.read(path, as_version=4).cells
    assert not [cell for cell in cells if cell.get("outputs")]
    assert "has not been run" in cells[0].source


@pytest.mark.parametrize("path", ALL, ids=by_name)
def test_a_notebook_defines_nothing(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    lines = [line for cell in cells for line in cell.source.splitlines()]
    assert not [line for line in lines if re.match(r"\s*(async )?(def|class)\b", line)]


def _missing() -> list[str]:
    """What the default configuration names and nobody has put there yet."""
    cfg = compose("train")
    return [path for path in (cfg.model.source, cfg.dataset.path) if not locate(path).exists()]
