"""The points of a sweep in other processes than the one that launches them."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from launched import PROGRAM, SCORED, runs, started, train
from rounding import near
from small_runs import losses, overrides

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.kinds import name_of

pytestmark = pytest.mark.slow

LAUNCHERS = ["hydra/launcher=joblib", "hydra/launcher=submitit_local"]
FINE, KILLED, FAILING = "imprint.data.prior.NoPrior", "accidents.Killed", "accidents.Failing"


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_its_points_are_the_runs_that_they_are_alone(
    launcher: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    train("-m", *overrides(tiny_sd, pictures, tmp_path / "sweep", "seed=0,1"), launcher, "sweep.name=two")
    train(*overrides(tiny_sd, pictures, tmp_path / "alone", "seed=1"))
    [alone] = runs(tmp_path / "alone")
    [same] = [run for run in runs(tmp_path / "sweep") if run.folder.name == alone.folder.name]
    assert len(runs(tmp_path / "sweep")) == 2
    assert losses(same) == losses(alone)
    first = {run.folder.name: run.read().started for run in runs(tmp_path / "sweep")}
    said = train("-m", *overrides(tiny_sd, pictures, tmp_path / "sweep", "seed=0,1"), launcher, "sweep.name=two")
    assert {run.folder.name: run.read().started for run in runs(tmp_path / "sweep")} == first
    assert "2 done" in said


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_point_that_fails_or_is_killed_costs_only_itself(
    launcher: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = overrides(tiny_sd, pictures, tmp_path, f"prior._target_={KILLED},{FAILING},{FINE}", "sweep.name=three")
    done = started("-m", *settings, launcher)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "2 of 3 points did not finish" in done.stderr
    assert "it rained" in done.stderr
    assert "killed" in done.stderr or "ended without a result" in done.stderr
    by_prior = {name_of(run.read().config.prior): run for run in runs(tmp_path)}
    assert by_prior["prior/none"].status == "finished"
    assert by_prior[FAILING].status == "failed"
    assert "it rained" in by_prior[FAILING].error.read_text(encoding="utf-8")
    assert by_prior[KILLED].status == "running"


def test_points_that_start_at_once_fill_the_shared_caches_once(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    """Class pictures, the untuned model's gallery and features, none of them there before."""
    shared = [*SCORED, "prior=generated", "prior.count=3", "seed=0,1,2", "sweep.name=cold"]
    for name, more in (("one by one", []), ("at once", ["hydra/launcher=joblib", "hydra.launcher.n_jobs=3"])):
        cache = tmp_path / name / "cache"
        settings = [*overrides(tiny_sd, pictures, tmp_path / name / "runs", *shared), *more]
        train("-m", *settings, environment={"IMPRINT_CACHE": str(cache)})
    assert _content(tmp_path / "at once" / "cache") == _content(tmp_path / "one by one" / "cache")
    for one, other in zip(runs(tmp_path / "one by one" / "runs"), runs(tmp_path / "at once" / "runs"), strict=True):
        assert losses(one) == losses(other)
        assert _sheet(one.folder).rows == _sheet(other.folder).rows


@pytest.mark.parametrize("launcher", ["hydra/launcher=stacked", "hydra/launcher=joblib"])
def test_of_two_equal_grids_at_once_one_waits_for_the_points_of_the_other(
    launcher: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = overrides(tiny_sd, pictures, tmp_path / "runs", "method=lora", "seed=0,1", "hparams.steps=40", launcher)
    command = [sys.executable, *PROGRAM, "-m", *settings]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [program.communicate()[1] for program in both]
    assert [program.returncode for program in both] == [0, 0], said
    assert not any("Error" in text or "Traceback" in text for text in said), said
    assert [run.status for run in runs(tmp_path / "runs")] == ["finished"] * 2
    assert all(len(run.read().started) == 1 for run in runs(tmp_path / "runs")), "each was trained once"


def test_the_threads_are_divided(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    """Else processes of all cores each would stand in each other's way."""
    environment = {"ACCIDENTS_THREADS": str(tmp_path / "threads"), "OMP_NUM_THREADS": ""}
    settings = overrides(tiny_sd, pictures, tmp_path, "prior._target_=accidents.Counting", "seed=0,1")
    processes = max(os.cpu_count() or 1, 2)
    train("-m", *settings, "hydra/launcher=joblib", f"hydra.launcher.n_jobs={processes}", environment=environment)
    assert Counter((tmp_path / "threads").read_text().split()) == {"1": 2}


def test_a_run_on_two_devices_is_a_point_like_any_other(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    """Its second process is started with the command line of the run, whoever started the first."""
    (tmp_path / "own" / "hparams").mkdir(parents=True)
    (tmp_path / "own" / "hparams" / "mine.yaml").write_text("defaults: [default, _self_]\nsteps: 5\n")
    settings = [
        "hparams=mine",
        *[each for each in overrides(tiny_sd, pictures, tmp_path / "runs") if not each.startswith("hparams.steps")],
        "hparams.batch_size=2",
    ]
    own = ["--config-dir", str(tmp_path / "own")]
    train(*own, "-m", *settings, "trainer=ddp", "trainer.accelerator=cpu", "hydra/launcher=submitit_local", "seed=0,1")
    train(*own, *settings, "seed=1", "outputs=" + str(tmp_path / "alone"))
    [alone] = runs(tmp_path / "alone")
    [same] = [run for run in runs(tmp_path / "runs") if run.folder.name == alone.folder.name]
    assert losses(same) == near(losses(alone))
    assert len(losses(same)) == 5


def _content(cache: Path) -> set[str]:
    """What was drawn; how the features lie in their file depends on who was first."""
    files = [file for file in cache.rglob("*") if file.suffix in (".png", ".sqlite", ".db")]
    assert any(file.suffix == ".png" for file in files)
    assert not list(cache.rglob("*.partial*"))
    return {f"{file.relative_to(cache)} {file.read_bytes() if file.suffix == '.png' else ''}" for file in files}


def _sheet(run: Path) -> ScoreSheet:
    [file] = (run / "scores").glob("*.json")
    assert json.loads(file.read_text(encoding="utf-8"))
    return ScoreSheet.read(file)


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="without /proc it is not told who started whom")
@pytest.mark.parametrize(
    ("more", "runs_at_once", "least"),
    [
        (["-m", "seed=0,1", "hydra/launcher=joblib"], 2, 2),
        (["-m", "seed=0,1", "hydra/launcher=submitit_local"], 2, 4),  # of each point one more, which watches it
        (["trainer=ddp", "trainer.accelerator=cpu", "hparams.batch_size=2"], 1, 1),
    ],
    ids=["joblib", "submitit", "ddp"],
)
def test_processes_end_with_a_program_that_is_killed(
    more: list[str], runs_at_once: int, least: int, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    """They would stay for ever, each with a model in memory."""
    place = tmp_path / "temporary"
    place.mkdir()
    settings = overrides(tiny_sd, pictures, tmp_path / "runs", "hparams.steps=100000", *more[more[0] == "-m" :])
    program = subprocess.Popen(
        [sys.executable, *PROGRAM, *more[: more[0] == "-m"], *settings],
        env={**os.environ, "TMPDIR": str(place)},
        stderr=subprocess.DEVNULL,
    )
    try:
        _until(lambda: len(list((tmp_path / "runs").glob("*/manifest.json"))) == runs_at_once)
        _until(lambda: len(_descendants(program.pid)) >= least)
        children = _descendants(program.pid)
    finally:
        program.kill()
        program.wait()
    _until(lambda: not children & _processes().keys())
    assert len(list(place.glob("imprint-process-*"))) == 1
    subprocess.run([sys.executable, "-c", OWNER], env={**os.environ, "TMPDIR": str(place)}, check=True)
    assert not list(place.glob("imprint-process-*"))


OWNER = "from imprint.process_folder import own_folder; own_folder()"  # as the next program


def _descendants(process: int) -> set[int]:
    found, parents = {process}, _processes()
    while new := {child for child, parent in parents.items() if parent in found} - found:
        found |= new
    return found - {process}


def _until(is_so: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.2)


def _processes() -> dict[int, int]:
    """Those that run, and who started them."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended by now
            state, parent = file.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(file.parent.name)] = int(parent)
    return found
