"""Whole benchmarks on tiny models: every run is trained once, scored once, and in the table."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from command import typed_with
from composed import compose
from filelock import FileLock
from lessons import after_every_step
from omegaconf import DictConfig
from small_runs import draw_pictures, metrics, overrides
from tiny_encoders import tiny_clip, tiny_vit

from imprint import benchmark as verb
from imprint.benchmark import benchmark, crew, table, work
from imprint.benchmark.crew import _answer_of, _Child
from imprint.errors import ConfigError, UserError
from imprint.evaluation.sheet import ScoreSheet
from imprint.reporting.scoreboard import ScoreboardFiles, writing
from imprint.runs import Run
from imprint.train import train

Configure = Callable[..., DictConfig]


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
def configure(tiny_sd: Path, subjects: Path, encoders: list[str], tmp_path: Path) -> Configure:
    def configured(*more: str) -> DictConfig:
        usual = overrides(tiny_sd, subjects, tmp_path / "outputs")
        own = [each for each in usual if not each.startswith(("dataset=", "dataset.class_noun=", "dataset.path="))]
        collection = ["collection=folders", f"collection.path={subjects}"]
        asked = ["evaluation=quick", "images=1", "prompts=[0,3]", "method=lora"]
        return compose("benchmark", [*own, *collection, *encoders, *asked, *more])

    return configured


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BOOTSTRAP", 20)
    monkeypatch.setattr(writing, "_figures", lambda board: iter(()))
    monkeypatch.setattr(crew, "PATIENCE", 0.05)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs that are trained or gone on with, in that order."""
    names: list[str] = []

    def watched(cfg: DictConfig) -> Run:
        names.append(cfg.name)
        return train(cfg)

    monkeypatch.setattr(work, "train", watched)
    return names


def runs(tmp_path: Path) -> dict[str, Run]:
    """By the name before the signature."""
    found = [Run(file.parent) for file in sorted((tmp_path / "outputs").glob("*/manifest.json"))]
    return {run.folder.name.rpartition("-")[0]: run for run in found}


def sheets(run: Run) -> list[ScoreSheet]:
    return [ScoreSheet.read(file) for file in sorted((run.folder / "scores").glob("*.json"))]


def contestants(files: ScoreboardFiles | None) -> dict[str, set[str]]:
    """Subjects by method."""
    assert files
    return {entry.method: {sheet.subject for sheet in entry.sheets} for entry in files.board.contestants}


def test_methods_that_are_called_one_by_one_come_into_one_table(
    configure: Configure, tmp_path: Path, trained: list[str]
) -> None:
    benchmark(configure())
    other = ["method=textual_inversion", "dataset.identifier=auto"]
    files = benchmark(configure(*other, "subjects=[rex]", "seeds=[0,1]"))
    assert contestants(files) == {"lora": {"rex", "mug"}, "textual_inversion": {"rex"}}
    assert trained == ["rex-lora-sd", "mug-lora-sd", *["rex-textual_inversion-sd"] * 2]
    assert files
    page = files.markdown.read_text(encoding="utf-8")
    assert files.markdown.is_relative_to(tmp_path / "outputs" / "benchmark")
    assert "Cost of a run" in page
    assert "untuned model" in page
    assert files.latex.is_file()
    assert json.loads(files.json.read_text(encoding="utf-8"))
    assert {sheet.seed for entry in files.board.contestants for sheet in entry.sheets} == {0, 1}
    [rex] = sheets(runs(tmp_path)["rex-lora-sd"])
    assert (rex.kind, rex.noun, rex.pictures["tuned"].asked) == ("live", "dog", 2)


def test_the_same_command_again_does_nothing_twice(configure: Configure, tmp_path: Path, trained: list[str]) -> None:
    benchmark(configure())
    before = {file: file.stat().st_mtime_ns for run in runs(tmp_path).values() for file in run.folder.rglob("*.*")}
    trained.clear()
    assert contestants(benchmark(configure())) == {"lora": {"rex", "mug"}}
    assert not trained
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_its_runs_are_those_of_train(
    configure: Configure, tiny_sd: Path, subjects: Path, tmp_path: Path, trained: list[str]
) -> None:
    alone = ["method=lora", "name=rex-lora-sd"]
    run = train(compose("train", overrides(tiny_sd, subjects / "rex", tmp_path / "outputs", *alone)))
    assert run.status == "finished"
    benchmark(configure("subjects=[rex]"))
    assert list(runs(tmp_path)) == ["rex-lora-sd"]
    assert runs(tmp_path)["rex-lora-sd"].folder == run.folder
    assert len(run.read()["started"]) == 1


def test_an_interrupted_one_goes_on(
    configure: Configure, tmp_path: Path, trained: list[str], ctrl_c: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(trainer: Any, module: Any) -> None:
        if len(trained) == 2 and trainer.global_step == 4:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        after_every_step(patch, interrupt)
        with pytest.raises(KeyboardInterrupt):
            benchmark(configure())
    assert [run.status for run in runs(tmp_path).values()] == ["running", "finished"]  # mug, rex
    assert not runs(tmp_path)["mug-lora-sd"].error.exists()
    assert len(sheets(runs(tmp_path)["rex-lora-sd"])) == 1
    trained.clear()
    assert contestants(benchmark(configure())) == {"lora": {"rex", "mug"}}
    assert trained == ["mug-lora-sd"]
    mug = runs(tmp_path)["mug-lora-sd"]
    steps = [row["step"] for row in metrics(mug)]
    assert steps == sorted(set(steps))  # none is done twice
    assert steps[-1] == 6
    assert len(mug.read()["started"]) == 2


def test_a_failing_subject_does_not_stop_the_others(
    configure: Configure, tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(trainer: Any, module: Any) -> None:
        if len(trained) == 1:
            raise RuntimeError("the lamp went out")

    with monkeypatch.context() as patch:
        after_every_step(patch, fail)
        with pytest.raises(UserError, match=r"1 of 2 runs failed(.|\n)*rex-lora-sd-\w+: the lamp went out"):
            benchmark(configure())
    assert "the lamp went out" in runs(tmp_path)["rex-lora-sd"].error.read_text(encoding="utf-8")
    [page] = (tmp_path / "outputs" / "benchmark").glob("*/scoreboard.md")
    assert "the lamp went out" in page.read_text(encoding="utf-8")
    assert contestants(benchmark(configure())) == {"lora": {"rex", "mug"}}
    assert "the lamp went out" not in page.read_text(encoding="utf-8")


def test_scoring_that_fails_leaves_its_reason_and_is_tried_again_alone(
    configure: Configure, tmp_path: Path, trained: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise UserError("no light to see by")

    with monkeypatch.context() as patch:
        patch.setattr(work, "score_run", fail)
        with pytest.raises(UserError, match="cannot be scored: no light to see by"):
            benchmark(configure("subjects=[rex]"))
    rex = runs(tmp_path)["rex-lora-sd"]
    assert rex.status == "finished"
    assert (rex.folder / "scores" / "error.txt").read_text(encoding="utf-8") == "no light to see by"
    trained_before = rex.read()["started"]
    assert contestants(benchmark(configure("subjects=[rex]"))) == {"lora": {"rex"}}
    assert rex.read()["started"] == trained_before
    assert not (rex.folder / "scores" / "error.txt").exists()


def test_what_another_program_is_at_is_done_last(configure: Configure, trained: list[str]) -> None:
    [rex] = [job for job in verb.planned(configure("subjects=[rex]")).jobs]
    rex.run.folder.mkdir(parents=True)
    lock = FileLock(rex.run.lock, thread_local=False)
    lock.acquire()
    release = threading.Timer(3, lock.release)
    release.start()
    try:
        assert contestants(benchmark(configure())) == {"lora": {"rex", "mug"}}
    finally:
        release.join()
    assert trained == ["mug-lora-sd", "rex-lora-sd"]


def test_everything_wrong_is_told_before_anything_is_trained(
    configure: Configure, subjects: Path, tmp_path: Path, trained: list[str]
) -> None:
    wrong = ["method.lr=-1", "dataset.holdout=2", "evaluation.encoders.dino.source=/nowhere"]
    with pytest.raises(ConfigError) as error:
        benchmark(configure(*wrong[:2]))
    text = str(error.value)
    assert text.count("method.lr=-1") == 1  # of both subjects, told once
    assert "mug: dataset.holdout=2: there are only 2 pictures" in text
    with pytest.raises(ConfigError, match=r"evaluation.encoders.dino.source='?/nowhere"):
        benchmark(configure(*wrong[2:]))
    assert not trained
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["subjects=[reks]"], "subjects='reks': there is no such subject; did you mean rex"),
        (["seeds=[]"], r"seeds=\[\]: give at least one"),
        (["seeds=[1,1]"], r"seeds=\[1, 1\]: give at least one, and each only once"),
        (["processes=0"], "processes=0"),
        (["trainer.devices=2", "hparams.batch_size=2"], "trainer.devices=2: a benchmark trains each model on one"),
        (["evaluation=none"], "evaluation is missing"),
        (["prompts=[99]"], r"numbers=\[99\]"),
        (["+colour=red"], "colour='red': unknown key"),
    ],
)
def test_settings_that_cannot_be(settings: list[str], message: str, configure: Configure) -> None:
    chosen = [] if "evaluation=none" not in settings else ["images=null", "prompts=null"]
    with pytest.raises(ConfigError, match=message):
        if chosen:
            cfg = configure(*chosen)
            cfg.evaluation = None
            benchmark(cfg)
        benchmark(configure(*settings))


def test_a_dry_run_says_what_would_be_done(
    configure: Configure, tmp_path: Path, trained: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert benchmark(configure("dry_run=true")) is None
    assert "to train      rex-lora-sd" in caplog.text
    assert "train 2, and score 2 under quick" in caplog.text
    assert "Pictures to draw: 4, and 4 of the untuned model" in caplog.text
    assert "is not known" in caplog.text
    assert not (tmp_path / "outputs").exists()
    benchmark(configure("subjects=[rex]"))
    caplog.clear()
    benchmark(configure("dry_run=true"))
    assert "done          rex-lora-sd" in caplog.text
    assert "train 1, and score 1 under quick" in caplog.text
    assert "That takes about" in caplog.text
    assert trained == ["rex-lora-sd"]


def test_kept_pictures_are_there_to_be_scored_against(configure: Configure, tmp_path: Path) -> None:
    asked = ["+metric@evaluation.metrics.overfit=overfit", "subjects=[rex]"]
    with pytest.raises(ConfigError, match="dataset.holdout"):
        benchmark(configure(*asked))
    benchmark(configure(*asked, "dataset.holdout=1"))
    [sheet] = sheets(runs(tmp_path)["rex-lora-sd"])
    assert "overfit" in sheet.rows["tuned"]


@pytest.mark.slow
def test_side_by_side_they_do_what_one_does(configure: Configure, tmp_path: Path) -> None:
    files = benchmark(configure("processes=2", f"outputs={tmp_path}/two"))
    assert contestants(files) == {"lora": {"rex", "mug"}}
    benchmark(configure())
    for name, run in runs(tmp_path).items():
        [other] = (tmp_path / "two").glob(f"{name}-*")
        assert other.name == run.folder.name
        assert [row["loss"] for row in metrics(Run(other))] == [row["loss"] for row in metrics(run)]
        assert [sheet.rows for sheet in sheets(Run(other))] == [sheet.rows for sheet in sheets(run)]


@pytest.mark.slow
def test_a_process_that_dies_costs_its_own_run() -> None:
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=os._exit, args=(9,))
    process.start()
    theirs.close()
    outcome = _answer_of(_Child(None, process, ours))  # type: ignore[arg-type]
    assert outcome.state == "failed"
    assert "exit code 9" in outcome.reason


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Lightning changes how it is handled."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def test_several_benchmarks_are_one_command(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["method=dreambooth,lora", "subjects=[dog6,cat2]", "dry_run=true", f"outputs={tmp_path}"]
    said = typed_with(capfd)("benchmark", "-m", *arguments)
    assert said.code == 0, said.text
    for method in ("dreambooth", "lora"):
        for subject in ("dog6", "cat2"):
            assert f"{subject}-{method}-mini" in said.text
