"""What stands in a launcher's way is said in one sentence, before anything starts."""

import sys
from pathlib import Path

import pytest
from command import typed_with

BASE = ["-m", "seed=0,1", "dry_run=true"]


@pytest.mark.parametrize(
    ("choice", "missing", "ours", "extra"),
    [
        ("hydra/launcher=joblib", "joblib", "imprint.launchers.processes", "joblib"),
        ("hydra/launcher=slurm", "submitit", "imprint.launchers.cluster", "slurm"),
        ("hydra/launcher=submitit_local", "submitit", "imprint.launchers.cluster", "slurm"),
        ("hydra/sweeper=optuna", "optuna", "imprint.launching.trials", "search"),
        ("hydra/sweeper=optuna_pareto", "optuna", "imprint.launching.trials", "search"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    choice: str,
    missing: str,
    ours: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in [ours, "imprint.launching.search", "imprint.launching.trials"]:
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    said = typed_with(capfd)("train", *BASE, choice, f"outputs={tmp_path}")
    assert said.code == 1
    assert f"pip install 'imprint-diffusion[{extra}]'" in said.text
    assert "Traceback" not in said.text


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=-1"], "hydra.launcher.n_jobs=-1: give"),
        (["hydra/sweeper=optuna", "hydra.sweeper.n_jobs=0"], "hydra.sweeper.n_jobs=0: give"),
        (["hydra/sweeper=optuna", "hydra.sweeper.goal=both"], "hydra.sweeper.goal='both': choose one of first, all"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    settings: list[str], expected: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = typed_with(capfd)("train", *BASE, *settings, f"outputs={tmp_path}")
    assert said.code == 1
    assert expected in said.text


def test_without_a_cluster_the_way_to_several_processes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = typed_with(capfd)("train", *BASE, "hydra/launcher=slurm", f"outputs={tmp_path}")
    assert said.code == 1
    assert "no sbatch" in said.text
    assert "hydra/launcher=joblib" in said.text


def test_a_plugins_choice_of_the_same_name_gives_way(capfd: pytest.CaptureFixture[str]) -> None:
    """The plugin's own `joblib` takes all cores, and other keys."""
    said = typed_with(capfd)("train", "--cfg", "hydra", "hydra/launcher=joblib")
    assert "hydra_plugins.imprint_launchers.ProcessesLauncher" in said.text
    assert "pre_dispatch" not in said.text
    assert "deprecated" not in said.text
