"""What lies offline reaches a server later, whole, however many stays it took."""

from pathlib import Path

import pytest
from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.tracking.offline import settings, stays, sync
from unit.reporting.tracking.test_scores import scored
from wandb_server import StoredRun, WandbServer

from imprint.reporting.tracking.scores import log_scores, score_name
from imprint.reporting.tracking.session import PreviousSession
from imprint.reporting.tracking.wandb import WandbTracker
from imprint.runs import Run


def train(run: Run, *steps: int, mode: str = "offline", ends: bool = True) -> None:
    tracker = WandbTracker(settings(mode), run, name="rex-lora", config={"seed": 0})
    for step in steps:
        tracker.log_metrics({"loss": 1 / step}, step)
    tracker.log_summary({"seconds": 12.5})
    run.result.mkdir(exist_ok=True)
    (run.result / "weights.bin").write_bytes(b"weights")
    tracker.conclude(run if ends else None)


def check(stored: StoredRun) -> None:
    rows = stored.history
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 400, 400]
    numbers = [row["_step"] for row in rows]
    assert numbers == sorted(set(numbers)), "no row takes another's place"
    found = stored.summary
    assert found["loss"] == 0.25
    assert found["seconds"] == 12.5
    assert found["result_bytes"] == 7
    for own in (sheet(), sheet(profile="careful")):
        assert found[score_name(own, "dino")] == pytest.approx(own.rows["tuned"]["dino"].mean)
    assert {"quick/breakdown", "careful/breakdown"} <= found.keys()
    assert stored.fields["groupName"] == "my-grid"
    assert stored.fields["jobType"] == "train"
    assert stored.config["method"]["value"] == "lora"
    assert stored.config["settings"]["value"]["method"]["_kind_"] == "method/lora"


@pytest.mark.slow
def test_a_run_that_was_resumed_and_evaluated_twice_loses_nothing(tmp_path: Path, server: WandbServer) -> None:
    run, files = scored(tmp_path, sheet(), sheet(profile="careful"))
    train(run, 1, 2, ends=False)
    train(run, 3, 4)
    for file in files:
        log_scores(run, [file])
    assert len(stays(run.folder)) == 4
    sync(run.folder)
    assert not server.unknown
    check(server.runs["0123abcd"])
    assert server.artifacts["result-0123abcd"]["metadata"]["bytes"] == 7
    assert server.uploads["result-0123abcd/weights.bin"] == b"weights"


def test_online_it_is_the_same(tmp_path: Path, server: WandbServer) -> None:
    run, files = scored(tmp_path, sheet(), sheet(profile="careful"), trained="online")
    train(run, 1, 2, mode="online", ends=False)
    train(run, 3, 4, mode="online")
    for file in files:
        log_scores(run, [file])
    assert not stays(run.folder)
    check(server.runs["0123abcd"])
    assert server.uploads["result-0123abcd/weights.bin"] == b"weights"


def test_a_point_of_a_wandb_sweep_is_evaluated_in_the_run_that_its_agent_chose(
    tmp_path: Path, server: WandbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, files = scored(tmp_path, sheet(), trained="online")
    with monkeypatch.context() as agent:
        agent.setenv("WANDB_SWEEP_ID", "sweep1")
        agent.setenv("WANDB_RUN_ID", "agentsown")
        train(run, 1, mode="online")
    log_scores(run, files)
    assert server.runs.keys() == {"agentsown"}
    assert [row["step"] for row in server.runs["agentsown"].history] == [1, 400]


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "stays.json").write_text('{"summary": 4')
    stays = PreviousSession(tmp_path / "stays.json")
    assert (stays.id, stays.summary) == (None, {})
