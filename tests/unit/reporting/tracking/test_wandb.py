"""A training, told to W&B."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from PIL import Image
from unit.reporting.tracking.offline import artifacts, begun, history, records, settings, stays, summary, table
from wandb_server import WandbServer

from imprint.reporting.redaction import redacted
from imprint.reporting.tracking import session
from imprint.reporting.tracking.loggers import SampleRow, concluding
from imprint.reporting.tracking.wandb import WandbTracker, wandb_tracker
from imprint.runs import Run

SECRETS = ("env-secret-value", "key-secret-value", "argv-secret-value")


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "outputs" / "dreambooth-dog-0123abcd")


def tracker(run: Run, mode: str = "offline", config: dict[str, Any] | None = None, **changes: Any) -> WandbTracker:
    made = wandb_tracker(settings(mode, **changes), run, name="dog run", config=config or {})
    assert made is not None
    return made


def write_result(run: Run, size: int) -> None:
    (run.result / "unet").mkdir(parents=True)
    (run.result / "unet" / "weights.safetensors").write_bytes(b"w" * size)
    (run.result / "README.md").write_text("card")


def test_an_offline_run_holds_configuration_history_pictures_and_summary(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", SECRETS[0])
    monkeypatch.setattr(sys, "argv", [*sys.argv, f"dataset.token={SECRETS[2]}"])
    cfg = OmegaConf.create(
        {
            "seed": 3,
            "auth": "${oc.env:MY_TOKEN}",
            "indirect": "${auth}",
            "method": {"_kind_": "method/lora"},
            "model": {"source": "pkg://imprint.miniature/weights"},
            "dataset": {"api_key": SECRETS[1], "url": f"https://me:{SECRETS[1]}@host/x", "path": "photos/rex"},
        }
    )
    for name, shade in (("tuned", 200), ("untuned", 20)):
        Image.new("RGB", (8, 8), (shade, 0, 0)).save(tmp_path / f"{name}.png")
    logger = tracker(run, config=redacted(cfg))
    for step in (1, 2, 3):
        logger.log_metrics({"loss": 1 / step, "lr/denoiser": 1e-6}, step)
    rows = [
        SampleRow("a sks dog", 0, tmp_path / "tuned.png", tmp_path / "untuned.png"),
        SampleRow("a dog", 1, tmp_path / "tuned.png", None),
    ]
    logger.log_samples(2, rows)
    logger.log_summary({"seconds": 12.5, "steps": 3})
    logger.conclude(None)

    (stay,) = stays(run.folder)
    started = begun(stay)
    assert (started["run_id"], started["display_name"], started["project"]) == ("0123abcd", "dog run", "imprint")
    assert (started["run_group"], started["job_type"]) == ("my-grid", "train")
    assert started["tags"] == ["a", "b", "lora", "miniature", "rex"]
    assert "${oc.env:MY_TOKEN}" in json.dumps(records(stay))
    found = summary(stay)
    assert (found["config"]["seed"], found["config"]["method"]) == (3, "lora")
    assert found["config"]["settings"]["dataset"]["path"] == "photos/rex"
    assert (found["summary"]["seconds"], found["summary"]["steps"]) == (12.5, 3)
    assert [row["loss"] for row in history(stay) if "loss" in row] == [1, 0.5, pytest.approx(1 / 3)]
    assert [row["step"] for row in history(stay)] == [1, 2, 3, 2]
    samples = table(stay, "samples")
    assert [(row["step"], row["prompt"], row["seed"]) for row in samples] == [(2, "a sks dog", 0), (2, "a dog", 1)]
    assert all(row["picture"]["_type"] == "image-file" for row in samples)
    [told] = [row for row in history(stay) if "samples._type" in row]
    for prompt, seed in (("a sks dog", 0), ("a dog", 1)):
        assert told[f"samples/{prompt}._type"] == "images/separated"
        assert told[f"samples/{prompt}.captions"] == [f"{prompt}, seed {seed}"]
    assert [row["untuned"] is not None for row in samples] == [True, False]
    kept = {path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert {(tmp_path / f"{name}.png").read_bytes() for name in ("tuned", "untuned")} <= kept

    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in written)
    for path in written:
        content = path.read_bytes()
        assert not [secret for secret in SECRETS if secret.encode() in content], path


@pytest.mark.parametrize(("size", "uploaded"), [(100, True), (2000, False)])
def test_a_small_result_is_uploaded_a_large_one_is_named(run: Run, size: int, uploaded: bool) -> None:
    logger = tracker(run)
    logger.log_metrics({"loss": 1.0}, 1)
    logger.finalize("success")
    write_result(run, size)
    run.note({"trained_parameters": {"denoiser": 5, "text": 2}})
    logger.conclude(run)
    (stay,) = stays(run.folder)
    (artifact,) = artifacts(stay)
    assert (artifact["name"], artifact["type"]) == ("result-0123abcd", "model")
    told = json.loads(artifact["metadata"])
    assert told["files"] == {"README.md": 4, "unet/weights.safetensors": size}
    assert (told["bytes"], told["uploaded"]) == (size + 4, uploaded)
    assert summary(stay)["summary"]["result_bytes"] == size + 4
    assert summary(stay)["summary"]["trained_parameters"] == 7
    entries = {entry["path"]: entry for entry in artifact["manifest"]["contents"]}
    assert entries.keys() == told["files"].keys()
    weights = entries["unet/weights.safetensors"]
    assert bool(weights.get("ref")) is not uploaded
    assert bool(weights.get("local_path")) is uploaded
    assert int(weights["size"]) == size
    copies = [path for path in run.folder.rglob("*") if path.is_file() and path.stat().st_size == size]
    assert copies == [run.result / "unet" / "weights.safetensors"], "no second copy waits for its upload"


@pytest.mark.parametrize(("fails", "code"), [(False, 0), (True, 1)])
def test_it_is_told_how_the_run_ended(run: Run, fails: bool, code: int) -> None:
    logger = tracker(run)
    write_result(run, 10)
    try:
        with concluding([logger], run):
            logger.log_metrics({"loss": 1.0}, 1)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    (stay,) = stays(run.folder)
    assert summary(stay)["exit_code"] == code
    assert len(list(artifacts(stay))) == 1 - code


def test_nothing_of_it_lies_outside_the_run(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    logger = tracker(run)
    logger.log_samples(0, [SampleRow("a dog", 0, tmp_path / "a.png", None)])
    write_result(run, 10)
    logger.conclude(run)
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and run.folder not in path.parents]
    assert [path.name for path in outside if path.suffix != ".log"] == ["a.png"]


@pytest.mark.parametrize("key", ["a" * 40, "short", None], ids=["unreachable", "invalid key", "no key"])
def test_without_a_server_or_a_login_it_goes_on_offline_and_says_so_once(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    key: str | None,
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    logger = tracker(run, "online")
    for step in (1, 2):
        logger.log_metrics({"loss": 0.125}, step)
    write_result(run, 10)
    logger.conclude(run)
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("imprint")]
    assert len([text for text in warnings if "offline" in text and "wandb sync" in text]) == len(warnings) == 1
    (stay,) = stays(run.folder)
    assert [row["loss"] for row in history(stay)] == [0.125, 0.125]
    assert capfd.readouterr() == ("", ""), "W&B itself is silent"


def test_of_runs_at_the_same_time_none_ends_the_others_when_there_is_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    together = [Run(tmp_path / "outputs" / f"lora-dog-{letter * 8}") for letter in "abc"]
    loggers = [tracker(run, "online") for run in together]
    for step in (1, 2):
        for logger in loggers:
            logger.log_metrics({"loss": 0.125 * step}, step)
    for logger in loggers:
        logger.conclude(None)
    for run in together:
        (stay,) = stays(run.folder)
        assert [row["loss"] for row in history(stay)] == [0.125, 0.25]


def test_a_failure_while_logging_stops_the_tracking_and_nothing_else(
    run: Run, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    logger = tracker(run)
    logger.log_metrics({"loss": 1.0}, 1)
    logger.log_samples(1, [SampleRow("a dog", 0, tmp_path / "missing.png", None)])
    logger.log_metrics({"loss": 2.0}, 2)
    logger.conclude(None)
    assert [record.getMessage() for record in caplog.records if "stopped" in record.getMessage()] != []
    assert len([record for record in caplog.records if record.name.startswith("imprint")]) == 1
    (stay,) = stays(run.folder)
    assert [row["loss"] for row in history(stay)] == [1.0]
    assert summary(stay)["exit_code"] == 1


def test_stays_of_one_second_do_not_write_over_one_another(run: Run) -> None:
    for step in (1, 2, 3):
        logger = tracker(run)
        logger.log_metrics({"loss": float(step)}, step)
        logger.conclude(None)
    assert {path.stem for path in run.folder.glob("wandb/offline-run-*/*.wandb")} == {"run-0123abcd"}
    assert [row["loss"] for stay in stays(run.folder) for row in history(stay)] == [1, 2, 3]


def test_off_is_no_logger_and_a_run_without_a_step_leaves_no_trace(run: Run) -> None:
    assert wandb_tracker(settings("off"), run, name="x", config={}) is None
    tracker(run).conclude(None)
    assert not run.folder.exists()


CLIENT = """
import json, logging, sys
from pathlib import Path
from imprint.libraries.process import quiet_libraries
from imprint.reporting.tracking.session import WandbSession, WandbSettings
logging.basicConfig(level=logging.INFO, format="%(message)s")
settings = WandbSettings("online", "imprint", None, None, [], 60, 3, 0)
session = WandbSession(settings, Path(sys.argv[1]), id="0123abcd", name="dog", job="train", tags=[], config={})
session.log(lambda: {"step": 1, "loss": 0.5})
print("begun", flush=True)
sys.stdin.readline()
session.log(lambda: {"step": 2, "loss": 0.25})
session.finish()
print(json.dumps(sys.argv[1]), flush=True)
"""


@pytest.mark.slow
def test_a_server_that_stops_answering_is_waited_for_as_long_as_is_set(tmp_path: Path, server: WandbServer) -> None:
    """It says what it waits for, the program does not wait again when it ends, and nothing is lost."""
    command = [sys.executable, "-c", CLIENT, str(tmp_path)]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **streams) as program:
        assert program.stdout
        assert program.stdout.readline() == "begun\n"
        server.answers.clear()
        _, said = program.communicate("go on\n")
    assert program.returncode == 0
    assert "waiting for the last uploads, at most 3 s" in said
    assert "did not take everything within 3 s (report.wandb.finish_timeout)" in said
    assert f"wandb sync {tmp_path}/wandb/*run-*-0123abcd" in said
    assert "Traceback" not in said
    [stay] = tmp_path.glob("wandb/run-*-0123abcd")
    while (rows := [row["loss"] for row in history(stay) if "loss" in row]) != [0.5, 0.25]:
        assert not rows or rows == [0.5]
        time.sleep(0.2)  # the background process still writes it


class Patient:
    """A run of W&B's whose uploads take until it was said that they do."""

    id = "0123abcd"

    def __init__(self, told: Callable[[], bool], ends_with: Exception | None) -> None:
        self._told = told
        self._ends_with = ends_with

    def finish(self, *, exit_code: int) -> None:
        while not self._told():
            time.sleep(0.01)
        if self._ends_with:
            raise self._ends_with


@pytest.mark.parametrize("in_time", [True, False])
def test_what_is_waited_for_is_told(
    run: Run, in_time: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []
    monkeypatch.setattr(session, "SILENCE", 0.0)
    monkeypatch.setattr(session, "do_not_wait_at_exit", lambda: ended.append(True))
    caplog.set_level("INFO")
    made = session.WandbSession(
        settings("online"), run.folder, id="0123abcd", name="dog", job="train", tags=[], config={}
    )
    made._run = Patient(lambda: "waiting for the last uploads" in caplog.text, None if in_time else TimeoutError())  # type: ignore[assignment]
    made.finish()
    assert ended == ([] if in_time else [True])
    assert ("did not take everything" in caplog.text) is not in_time
