"""imprint evaluate as it is typed, and in several processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_runs import configure

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.runs import Run
from imprint.verbs.train import train

PROFILE = ["evaluation=oft", "evaluation.pictures.subject.images=2", "evaluation.rows=[prompt_only]", "accelerator=cpu"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Read only."""
    outputs = tmp_path_factory.mktemp("runs")
    return train(configure(tiny_sd, pictures, outputs, "+encoders@model.encoders=mini", "hparams.steps=1"))


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(finished.folder, tmp_path / "runs" / finished.folder.name)))


def start(run: Run, cache: Path, *settings: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "imprint.cli", "evaluate", str(run.folder), *PROFILE, *settings],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "IMPRINT_CACHE": str(cache), **environment},
    )


def ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out, err


def sheets(run: Run) -> list[ScoreSheet]:
    return [ScoreSheet.read(file) for file in sorted((run.folder / "scores").glob("*.json"))]


def index(run: Run) -> dict[str, dict]:
    [file] = (run.folder / "pictures").glob("*/pictures.json")
    return {entry["file"]: entry for entry in json.loads(file.read_text(encoding="utf-8"))["pictures"]}


def test_scores_are_printed_and_kept(run: Run, tmp_path: Path) -> None:
    out, err = ended(start(run, tmp_path / "cache"))
    [sheet] = sheets(run)
    for expected in ("tuned", "prompt_only", "DINO", "50 of 50", sheet.metrics["dino"].fingerprint):
        assert expected in out
    assert "Scores: " in err
    again, _ = ended(start(run, tmp_path / "cache"))
    assert again == out
    assert len(sheets(run)) == 1


@pytest.mark.parametrize("ranks", [True, False], ids=["of one program", "of two programs"])
def test_two_processes_draw_each_picture_once(ranks: bool, run: Run, tmp_path: Path) -> None:
    places = [{"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)} if ranks else {} for rank in range(2)]
    both = [start(run, tmp_path / "cache", "evaluation.batch_size=1", **place) for place in places]
    outs = [ended(process)[0] for process in both]
    [sheet] = sheets(run)
    assert sheet.pictures["tuned"].drawn == 50
    assert len(index(run)) == 50
    assert not list((run.folder / "pictures").rglob("*.partial*"))
    assert [bool(out) for out in outs] == ([True, False] if ranks else [True, True])
    if not ranks:
        assert outs[0] == outs[1]


def test_a_killed_evaluation_goes_on_where_it_was(run: Run, tmp_path: Path) -> None:
    process = start(run, tmp_path / "cache", "evaluation.batch_size=1")
    deadline = time.monotonic() + 200
    while not list((run.folder / "pictures").glob("*/001-0.png")):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = index(run)
    assert 0 < len(before) < 50
    assert not sheets(run)
    ended(start(run, tmp_path / "cache", "evaluation.batch_size=1"))
    [sheet] = sheets(run)
    assert sheet.pictures["tuned"].drawn == 50
    kept = {file: entry["content"] for file, entry in index(run).items() if file in before}
    assert kept == {file: entry["content"] for file, entry in before.items()}


def test_a_folder_of_runs_is_scored_and_unfinished_ones_are_named(run: Run, tmp_path: Path) -> None:
    other = Run(run.folder.with_name("half-done-0123456789"))
    other.folder.mkdir()
    other.note({"status": "failed"})
    process = subprocess.run(
        [sys.executable, "-m", "imprint.cli", "evaluate", str(run.folder.parent), *PROFILE],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "IMPRINT_CACHE": str(tmp_path / "cache")},
    )
    assert "half-done-0123456789 is failed, and passed over" in process.stderr
    assert len(sheets(run)) == 1
