"""Whole benchmarks on tiny models: every run is trained once, scored once, and in the table."""

import csv
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from command import Said, typed_with
from composed import compose
from filelock import FileLock
from launched import started
from lessons import after_every_step
from small_runs import draw_pictures, losses, metrics, overrides
from tiny_encoders import tiny_clip, tiny_vit

from imprint.errors import UserError
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.launching import launch
from imprint.planning.prepare import prepare
from imprint.reporting.scoreboard import files
from imprint.runs import Run
from imprint.scoring import score as scoring
from imprint.sweeps import Sweep
from imprint.verbs.train import train

Benchmark = Callable[..., Said]


@pytest.fixture(scope="module")
def subjects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two subjects in a folder that says what they are. Read only."""
    root = tmp_path_factory.mktemp("subjects")
    draw_pictures(root / "rex", 3)
    draw_pictures(root / "mug", 2, (36, 36))
    (root / "subjects.yaml").write_text("rex: {noun: dog, kind: live}\nmug: vase\n")
    return root


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("encoders")
    places = {"clip": tiny_clip(root / "clip"), "dino": tiny_vit(root / "dino")}
    size = [f"evaluation.encoders.{role}.transform.{side}=16" for role in places for side in ("resize", "crop")]
    return [*size, *(f"evaluation.encoders.{role}.source={place}" for role, place in places.items())]


@pytest.fixture
def arguments(tiny_sd: Path, subjects: Path, encoders: list[str], tmp_path: Path) -> list[str]:
    usual = overrides(tiny_sd, subjects, tmp_path / "outputs")
    own = [each for each in usual if not each.startswith(("dataset=", "dataset.class_noun=", "dataset.path="))]
    collection = ["collection=folders", f"collection.path={subjects}"]
    return [*own, *collection, *encoders, "evaluation=quick", "images=1", "prompts=[0,3]"]


@pytest.fixture
def benchmark(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> Benchmark:
    """`imprint benchmark method=lora` of two tiny runs; later arguments take the place of earlier ones."""
    typed = typed_with(capfd)

    def launched(*more: str) -> Said:
        given = {each.partition("=")[0]: each for each in [*arguments, "method=lora", *more]}
        return typed("benchmark", *given.values())

    return launched


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imprint.verbs.benchmark.BOOTSTRAP", 20)
    monkeypatch.setattr(files, "_figures", lambda board: iter(()))
    monkeypatch.setattr(launch, "PATIENCE", 0.05)


def runs(tmp_path: Path) -> dict[str, Run]:
    """By the name before the signature."""
    found = [Run(file.parent) for file in sorted((tmp_path / "outputs").glob("*/manifest.json"))]
    return {run.folder.name.rpartition("-")[0]: run for run in found}


def sheets(run: Run) -> list[ScoreSheet]:
    return [ScoreSheet.read(file) for file in sorted((run.folder / "scores").glob("*.json"))]


def page(tmp_path: Path) -> str:
    [file] = (tmp_path / "outputs" / "benchmark").glob("*/scoreboard.md")
    return file.read_text(encoding="utf-8")


def contestants(tmp_path: Path) -> dict[str, set[str]]:
    """Subjects by method, of the one table."""
    [file] = (tmp_path / "outputs" / "benchmark").glob("*/scoreboard.csv")
    found: dict[str, set[str]] = {}
    with file.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            if row["role"] == "contestant" and row["subject"]:
                found.setdefault(row["entry"], set()).add(row["subject"])
    return found


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Lightning changes how it is handled."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def test_methods_come_into_one_table_in_whichever_command(benchmark: Benchmark, tmp_path: Path) -> None:
    assert benchmark().code == 0
    said = benchmark("method=textual_inversion", "dataset.identifier=auto", "subjects=[rex]", "seeds=[0,1]")
    assert said.code == 0, said.text
    assert contestants(tmp_path) == {"lora": {"rex", "mug"}, "textual inversion": {"rex"}}
    assert "Cost of a run" in page(tmp_path)
    assert "untuned model" in page(tmp_path)
    [folder] = (tmp_path / "outputs" / "benchmark").iterdir()
    assert (folder / "scoreboard.tex").is_file()
    assert json.loads((folder / "scoreboard.json").read_text(encoding="utf-8"))
    [rex] = sheets(runs(tmp_path)["rex-lora-sd"])
    assert (rex.kind, rex.noun, rex.pictures["tuned"].asked) == ("live", "dog", 2)


def test_it_is_a_sweep_of_its_subjects_and_does_nothing_twice(benchmark: Benchmark, tmp_path: Path) -> None:
    said = benchmark("sweep.name=mine")
    assert "Side by side: 2 points." in said.text
    assert "[2/2]" in said.text
    sweep = Sweep.named("mine", tmp_path / "outputs")
    assert [point.overrides for point in sweep.points] == [("dataset.subject=rex",), ("dataset.subject=mug",)]
    assert sweep.commands[0].startswith("imprint benchmark ")
    assert "2 done" in sweep.summary.read_text(encoding="utf-8")
    assert sweep.report.is_file()
    assert {run.read().side_by_side for run in runs(tmp_path).values()} == {2}
    before = {file: file.stat().st_mtime_ns for run in runs(tmp_path).values() for file in run.folder.rglob("*.*")}
    said = benchmark("sweep.name=mine")
    assert said.code == 0
    assert "2 points: 2 done" in said.text
    assert contestants(tmp_path) == {"lora": {"rex", "mug"}}
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_its_runs_are_those_of_train(benchmark: Benchmark, tiny_sd: Path, subjects: Path, tmp_path: Path) -> None:
    alone = ["method=lora", "name=rex-lora-sd"]
    run = train(compose("train", overrides(tiny_sd, subjects / "rex", tmp_path / "outputs", *alone)))
    assert run.status == "finished"
    assert benchmark("subjects=[rex]").code == 0
    assert list(runs(tmp_path)) == ["rex-lora-sd"]
    assert runs(tmp_path)["rex-lora-sd"].folder == run.folder
    assert len(run.read().started) == 1
    assert len(sheets(run)) == 1


def test_an_interrupted_one_goes_on(
    benchmark: Benchmark, tmp_path: Path, ctrl_c: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(trainer: Any, module: Any) -> None:
        if "mug" in trainer.default_root_dir and trainer.global_step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        after_every_step(patch, interrupt)
        assert benchmark("hydra/launcher=basic").code == 130
    assert [run.status for run in runs(tmp_path).values()] == ["running", "finished"]  # mug, rex
    assert not runs(tmp_path)["mug-lora-sd"].error.exists()
    assert len(sheets(runs(tmp_path)["rex-lora-sd"])) == 1
    said = benchmark()
    assert "1 done, 1 to go on with" in said.text
    assert contestants(tmp_path) == {"lora": {"rex", "mug"}}
    mug = runs(tmp_path)["mug-lora-sd"]
    steps = [row["step"] for row in metrics(mug)]
    assert steps == sorted(set(steps))  # none is done twice
    assert steps[-1] == 6
    assert len(mug.read().started) == 2


def test_a_failing_subject_does_not_stop_the_others(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(trainer: Any, module: Any) -> None:
        if "rex" in trainer.default_root_dir:
            raise RuntimeError("the lamp went out")

    with monkeypatch.context() as patch:
        after_every_step(patch, fail)
        said = benchmark()
    assert said.code == 1
    assert "1 of 2 points did not finish" in said.text
    assert "dataset.subject=rex: the lamp went out" in said.text
    assert "the lamp went out" in runs(tmp_path)["rex-lora-sd"].error.read_text(encoding="utf-8")
    assert "the lamp went out" in page(tmp_path)
    assert benchmark().code == 0
    assert contestants(tmp_path) == {"lora": {"rex", "mug"}}
    assert "the lamp went out" not in page(tmp_path)


def test_scoring_that_fails_leaves_its_reason_and_is_tried_again_alone(
    benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise UserError("no light to see by")

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "complete_galleries", fail)
        said = benchmark("subjects=[rex]")
    assert said.code == 1
    assert "no light to see by" in said.text
    rex = runs(tmp_path)["rex-lora-sd"]
    assert rex.status == "finished"
    assert (rex.folder / "scores" / "error.txt").read_text(encoding="utf-8") == "no light to see by"
    trained_before = rex.read().started
    assert "1 point: 1 to score" in benchmark("subjects=[rex]").text
    assert contestants(tmp_path) == {"lora": {"rex"}}
    assert rex.read().started == trained_before
    assert not (rex.folder / "scores" / "error.txt").exists()


def test_what_another_program_is_at_is_waited_for(
    benchmark: Benchmark, tiny_sd: Path, subjects: Path, tmp_path: Path
) -> None:
    settings = overrides(tiny_sd, subjects / "rex", tmp_path / "outputs", "method=lora", "name=rex-lora-sd")
    folder = prepare(compose("train", settings)).run.folder
    folder.mkdir(parents=True)
    lock = FileLock(Run(folder).lock, thread_local=False)
    lock.acquire()

    def release_after_the_other() -> None:
        patience = time.monotonic() + 300
        while time.monotonic() < patience:
            found = runs(tmp_path)
            if "mug-lora-sd" in found and found["mug-lora-sd"].status == "finished":
                break
            time.sleep(0.1)
        lock.release()

    release = threading.Thread(target=release_after_the_other)
    release.start()
    try:
        said = benchmark()
    finally:
        release.join()
    assert said.code == 0, said.text
    assert "1 of 2 points are being trained by another program: waiting for it." in said.text
    assert contestants(tmp_path) == {"lora": {"rex", "mug"}}
    rex, mug = (runs(tmp_path)[f"{name}-lora-sd"].read() for name in ("rex", "mug"))
    assert mug.finished <= rex.started[0]


def test_everything_wrong_is_told_before_anything_is_trained(benchmark: Benchmark, tmp_path: Path) -> None:
    said = benchmark("method.lr=-1", "dataset.holdout=2")
    assert said.code == 1
    assert said.text.count("method.lr=-1") == 1  # of both subjects, told once
    assert "dataset.holdout=2: there are only 2 pictures" in said.text
    assert "(in dataset.subject=mug)" in said.text
    said = benchmark("evaluation.encoders.dino.source=/nowhere")
    assert "/nowhere" in said.text
    assert "evaluation.encoders.dino.source" in said.text
    assert not list((tmp_path / "outputs").glob("*/manifest.json"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["subjects=[reks]"], "subjects='reks': there is no such subject; did you mean rex"),
        (["seeds=[]"], "seeds=[]: give at least one"),
        (["seeds=[1,1]"], "seeds=[1, 1]: give at least one, and each only once"),
        (["seed=1", "seeds=[1,2]"], "seed='1': the collection, seeds and hydra.sweeper.points set it, too"),
        (["evaluation=quick,careful"], "evaluation='quick,careful': a benchmark has one"),
        (["prompts=[99]"], "numbers=[99]"),
        (["+colour=red"], "colour='red': unknown key"),
    ],
)
def test_settings_that_cannot_be(settings: list[str], message: str, benchmark: Benchmark) -> None:
    said = benchmark(*settings)
    assert said.code == 1
    assert message in said.text
    assert "Traceback" not in said.text


@pytest.mark.parametrize("more", [[], ["-m"]])
def test_methods_are_an_axis(more: list[str], capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["method=dreambooth,lora", "subjects=[dog6,cat2]", "dry_run=true", f"outputs={tmp_path}"]
    said = typed_with(capfd)("benchmark", *more, *arguments)
    assert said.code == 0, said.text
    assert "4 points: 4 to train." in said.text
    for subject in ("dog6", "cat2"):
        assert f"dataset.subject={subject} method=dreambooth" in said.text
        assert f"dataset.subject={subject} method=lora" in said.text


def test_without_an_evaluation_there_is_nothing_to_compare(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = typed_with(capfd)("benchmark", "evaluation=none", "subjects=[dog6]", f"outputs={tmp_path}")
    assert said.code == 1
    assert "evaluation='none': a benchmark scores what it trains" in said.text


def test_a_dry_run_says_what_would_be_done(benchmark: Benchmark, tmp_path: Path) -> None:
    said = benchmark("dry_run=true")
    assert "2 points: 2 to train" in said.text
    assert "tells how long the others take" in said.text
    assert not (tmp_path / "outputs").exists()
    benchmark("subjects=[rex]")
    said = benchmark("dry_run=true")
    assert "done           dataset.subject=rex" in said.text
    assert "2 points: 1 done, 1 to train" in said.text
    assert "that takes about" in said.text
    assert list(runs(tmp_path)) == ["rex-lora-sd"]


def test_kept_pictures_are_there_to_be_scored_against(benchmark: Benchmark, tmp_path: Path) -> None:
    asked = ["+metric@evaluation.metrics.overfit=overfit", "subjects=[rex]"]
    said = benchmark(*asked)
    assert said.code == 1
    assert "dataset.holdout" in said.text
    assert not list((tmp_path / "outputs").glob("*/manifest.json"))
    assert benchmark(*asked, "dataset.holdout=1").code == 0
    [sheet] = sheets(runs(tmp_path)["rex-lora-sd"])
    assert "overfit" in sheet.rows["tuned"]


@pytest.mark.slow
def test_other_processes_do_what_this_one_does(benchmark: Benchmark, arguments: list[str], tmp_path: Path) -> None:
    given = [*arguments, "method=lora", f"outputs={tmp_path}/two", "hydra/launcher=joblib"]
    done = started(*given, program=["-m", "imprint.cli", "benchmark"])
    assert done.returncode == 0, done.stderr
    assert "Table: " in done.stderr
    benchmark()
    for name, run in runs(tmp_path).items():
        [other] = (tmp_path / "two").glob(f"{name}-*")
        assert other.name == run.folder.name
        assert losses(Run(other)) == pytest.approx(losses(run), rel=1e-5)
        assert [set(sheet.rows) for sheet in sheets(Run(other))] == [set(sheet.rows) for sheet in sheets(run)]


@pytest.mark.slow
def test_each_run_may_take_several_devices(arguments: list[str], tmp_path: Path) -> None:
    given = [*arguments, "method=lora", "subjects=[rex]", "hparams.batch_size=2"]
    for devices, place in ((["trainer=ddp", "trainer.devices=2"], "two"), ([], "one")):
        settings = [*given, *devices, "trainer.accelerator=cpu", f"outputs={tmp_path / place}"]
        done = started(*settings, program=["-m", "imprint.cli", "benchmark"])
        assert done.returncode == 0, done.stderr
    [two], [one] = (
        [Run(file.parent) for file in (tmp_path / place).glob("*/manifest.json")] for place in ("two", "one")
    )
    assert two.folder.name == one.folder.name
    assert losses(two) == pytest.approx(losses(one), rel=1e-4)
    assert len(sheets(two)) == 1
