"""imprint study, as it is typed."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import typed_with
from launched import train
from slurm_cluster import cluster, why_not
from study_world import write_world

THIN = [
    "encoders=mini",
    "accelerator=cpu",
    "seeds=[0]",
    "shots=[2]",
    "arms=[classical,synthetic,truth]",
    "learners.probe.positions=8",
    "learners.resnet.widths=[8,16]",
    "learners.resnet.size=16",
    "learners.resnet.updates=4",
    "learners.resnet.batch=12",
]


def test_a_study_is_planned_carried_out_and_not_carried_out_twice(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    typed = typed_with(capfd)
    world = write_world(tmp_path / "world")
    command = [str(world / "photos"), str(world / "data"), f"test={world / 'test'}", f"out={tmp_path / 'study'}"]
    command += [f"pictures={{truth:{world / 'truth'}}}", *THIN]
    planned = typed("study", *command, "dry_run=true")
    assert planned.code == 0, planned.text
    assert "6 cells" in planned.text
    assert not (tmp_path / "study").exists()
    done = typed("study", *command)
    assert done.code == 0, done.text
    assert "less classical" in done.text
    assert "6 of 6" in done.text
    again = typed("study", *command)
    assert again.code == 0
    assert "of 6:" not in again.text
    assert "6 are there" in typed("study", *command, "dry_run=true").text


def test_mistakes_are_told_together(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = typed_with(capfd)("study", str(tmp_path / "none"), f"test={tmp_path / 'nothing'}", *THIN)
    assert said.code == 1
    assert "data=" in said.text
    assert "test=" in said.text
    assert "Traceback" not in said.text


PROGRAM = ["-m", "imprint.cli", "study"]
NO_CLUSTER = why_not()
SLURM = ["hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.gpus_per_node=null"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def alone(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone") / "study"
    train(*asked(world, out), program=PROGRAM)
    return out


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[dict[str, str]]:
    with cluster(tmp_path / "cluster") as environment:
        yield environment


def asked(world: Path, out: Path) -> list[str]:
    places = [str(world / "photos"), str(world / "data"), f"test={world / 'test'}", f"out={out}"]
    return [*places, f"pictures={{truth:{world / 'truth'}}}", *THIN]


def cells(out: Path) -> dict[str, Any]:
    """What each has learned; not how long it took."""
    found = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in (out / "cells").glob("*.json")}
    return {name: content | {"seconds": 0} for name, content in found.items()}


@pytest.mark.slow
def test_processes_of_a_launcher_learn_what_one_alone_does(world: Path, alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    said = train(*asked(world, out), "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", program=PROGRAM)
    assert "2 jobs share the cells" in said
    assert cells(out) == cells(alone)
    assert (out / "study.html").is_file()


@pytest.mark.slow
@pytest.mark.skipif(NO_CLUSTER is not None, reason=f"a cluster {NO_CLUSTER}")
@pytest.mark.xdist_group("slurm")
def test_jobs_of_a_cluster_do(world: Path, alone: Path, tmp_path: Path, slurm: dict[str, str]) -> None:
    out = tmp_path / "study"
    given = [*SLURM, "hydra.launcher.mem_gb=null", "jobs=2"]
    train(*asked(world, out), *given, environment=slurm, program=PROGRAM)
    assert cells(out) == cells(alone)
    assert len(list((out / "launcher").glob("*_result.pkl"))) == 2


@pytest.mark.slow
def test_a_killed_study_leaves_its_cells_to_others(world: Path, alone: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    command = [sys.executable, *PROGRAM, *asked(world, out), "learners.resnet.updates=40"]
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 300
    while not list(out.glob("cells/*.json")):
        assert program.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    program.send_signal(signal.SIGKILL)
    program.wait()
    before = {file.name: file.read_bytes() for file in out.glob("cells/*.json")}
    train(*asked(world, out), "learners.resnet.updates=40", program=PROGRAM)
    assert before
    assert all((out / "cells" / name).read_bytes() == content for name, content in before.items())
    assert len(cells(out)) == 6
    assert not list((out / "cells").glob(".claims/*"))


def test_axes_are_studies_with_folders_of_their_own(
    world: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    typed = typed_with(capfd)
    given = [*asked(world, tmp_path / "study"), "arms.synthetic.share=.3,.5", "dry_run=true"]
    said = typed("study", *given)
    assert said.code == 1
    assert "several studies would lie there" in said.text
    said = typed("study", *given, f"out={tmp_path}/study-${{arms.synthetic.share}}")
    assert said.code == 0, said.text
    assert all(f"study-{share}: 6 cells" in said.text for share in ("0.3", "0.5"))
    said = typed("study", *asked(world, tmp_path / "study"), "jobs=2")
    assert "jobs=2" in said.text
    assert said.code == 1
