"""Points as jobs of a real SLURM cluster, of two nodes on this machine."""

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from launched import runs, started, train
from rounding import near
from slurm_cluster import cluster, why_not
from small_runs import losses, metrics, overrides

from imprint.runs import Run

REASON = why_not()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(REASON is not None, reason=f"a cluster {REASON}"),
    pytest.mark.xdist_group("slurm"),
]

NODES = ["hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1"]
POOR = ["hydra.launcher.gpus_per_node=null", "hydra.launcher.mem_gb=null"]  # these have neither to give
LAUNCHER = [*NODES, *POOR]
# Both nodes are this machine, under names that nothing resolves.
MEET = 'hydra.launcher.setup=["export MASTER_ADDR=127.0.0.1"]'


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


def test_points_are_jobs_of_an_array(tiny_sd: Path, pictures: Path, tmp_path: Path, slurm: dict[str, str]) -> None:
    settings = overrides(tiny_sd, pictures, tmp_path, "seed=0,1", "sweep.name=two")
    train("-m", *settings, *LAUNCHER, environment=slurm)
    assert [run.status for run in runs(tmp_path)] == ["finished", "finished"]
    assert len(list((tmp_path / "sweeps" / "two" / "launcher").glob("*_result.pkl"))) == 2
    before = [run.read() for run in runs(tmp_path)]
    train("-m", *settings, *LAUNCHER, environment=slurm)
    assert [run.read() for run in runs(tmp_path)] == before


def test_a_job_that_is_killed_costs_one_point(
    tiny_sd: Path, pictures: Path, tmp_path: Path, slurm: dict[str, str]
) -> None:
    priors = "prior._target_=accidents.Killed,imprint.data.prior.NoPrior"
    done = started("-m", *overrides(tiny_sd, pictures, tmp_path, priors), *LAUNCHER, environment=slurm)
    assert done.returncode == 1
    assert "1 of 2 points did not finish" in done.stderr
    assert "ended without a result" in done.stderr
    assert sorted(run.status for run in runs(tmp_path)) == ["finished", "running"]


@pytest.mark.parametrize("together", ["ddp", "fsdp"])
def test_a_run_on_two_nodes_does_what_one_process_does(
    together: str, tiny_sd: Path, pictures: Path, tmp_path: Path, slurm: dict[str, str]
) -> None:
    settings = ["hparams.batch_size=2", "seed=0"]
    both = [f"trainer={together}", "trainer.devices=1", "trainer.nodes=2", MEET]
    train(*overrides(tiny_sd, pictures, tmp_path / "one", *settings))
    train("-m", *overrides(tiny_sd, pictures, tmp_path / "two", *settings), *LAUNCHER, *both, environment=slurm)
    [one], [two] = runs(tmp_path / "one"), runs(tmp_path / "two")
    assert one.folder.name == two.folder.name
    assert losses(two) == near(losses(one))
    assert len(list((tmp_path / "two" / "sweeps").glob("*/launcher/*_1_log.err"))) == 1, "the second node's"


def test_a_preempted_job_goes_on_in_another_one(
    tiny_sd: Path, pictures: Path, tmp_path: Path, slurm: dict[str, str]
) -> None:
    """Two minutes go by before SLURM starts a job again."""
    settings = overrides(
        tiny_sd, pictures, tmp_path / "cut", "seed=0", "hparams.steps=400", "trainer.checkpoint_every=5"
    )
    preempting = threading.Thread(target=_preempt_when_it_trains, args=(tmp_path / "cut", slurm))
    preempting.start()
    train("-m", *settings, *LAUNCHER, environment=slurm)
    preempting.join()
    [run] = runs(tmp_path / "cut")
    assert run.status == "finished"
    assert len(run.read().started) == 2
    whole = overrides(tiny_sd, pictures, tmp_path / "whole", "seed=0", "hparams.steps=400")
    train(*whole)
    assert metrics(run) == metrics(runs(tmp_path / "whole")[0])


def _preempt_when_it_trains(outputs: Path, slurm: dict[str, str]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for run in [Run(file.parent) for file in outputs.glob("*/manifest.json")]:
            if run.checkpoint.is_file():
                subprocess.run(
                    ["scancel", "--signal=USR2", "--name=imprint"], env={"PATH": slurm["PATH"], **slurm}, check=True
                )
                return
        time.sleep(0.05)
