import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wandb
from omegaconf import OmegaConf
from PIL import Image

from imprint.reporting.redaction import redacted
from imprint.reporting.wandb import SampleRow, WandbSettings, WandbTracker, wandb_logger
from imprint.runs import Run

SECRETS = ("env-secret-value", "key-secret-value", "argv-secret-value")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No login and no setting of the user reaches a test."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "WANDB_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wandb.teardown()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "outputs" / "dreambooth-dog-0123abcd")


def tracker(run: Run, mode: str = "offline", config: dict[str, Any] | None = None) -> WandbTracker:
    settings = WandbSettings(mode, "imprint", None, "my-grid", ["a", "b"], 2, 5)  # type: ignore[arg-type]
    made = wandb_logger(settings, run, name="dog run", config=config or {})
    assert made is not None
    return made


def inspect(run: Run, *flags: str) -> list[dict[str, Any]]:
    """What the shipped reader finds in the run's own log."""
    (log,) = run.folder.glob("wandb/offline-run-*/*.wandb")
    command = [str(Path(sys.executable).with_name("wandb")), "leet", "inspect", "--json", *flags, str(log)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(text)] if flags else [json.loads(line) for line in text.splitlines()]


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
            "dataset": {"api_key": SECRETS[1], "url": f"https://me:{SECRETS[1]}@host/x"},
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
    logger.finalize("success")

    text = json.dumps(inspect(run))
    summary = inspect(run, "--summary")[0]
    assert "dog run" in text
    assert "my-grid" in text
    assert "0123abcd" in text
    assert '"imprint"' in text
    assert "${oc.env:MY_TOKEN}" in text
    assert '"seconds"' in json.dumps(summary)
    assert "12.5" in json.dumps(summary)
    assert "lr/denoiser" in text
    assert "0.3333" in text

    tables = list(run.folder.glob("wandb/offline-run-*/files/media/table/*.json"))
    table = json.loads(tables[0].read_text())
    assert table["columns"] == ["step", "prompt", "seed", "picture", "untuned"]
    assert [row[:3] for row in table["data"]] == [[2, "a sks dog", 0], [2, "a dog", 1]]
    assert [[cell is not None for cell in row[3:]] for row in table["data"]] == [[True, True], [True, False]]
    kept = {path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    assert {(tmp_path / f"{name}.png").read_bytes() for name in ("tuned", "untuned")} <= kept

    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in written)
    for path in written:
        content = path.read_bytes()
        assert not [secret for secret in SECRETS if secret.encode() in content], path


def test_nothing_of_it_lies_outside_the_run(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    logger = tracker(run)
    logger.log_samples(0, [SampleRow("a dog", 0, tmp_path / "a.png", None)])
    logger.finalize("success")
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
    logger.finalize("success")
    warnings = [record.getMessage() for record in caplog.records if record.name.startswith("imprint")]
    assert len([text for text in warnings if "offline" in text and "wandb sync" in text]) == len(warnings) == 1
    assert "0.125" in json.dumps(inspect(run))
    assert capfd.readouterr() == ("", ""), "W&B itself is silent"


def test_a_failure_while_logging_stops_the_tracking_and_nothing_else(
    run: Run, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    logger = tracker(run)
    logger.log_metrics({"loss": 1.0}, 1)
    logger.log_samples(1, [SampleRow("a dog", 0, tmp_path / "missing.png", None)])
    logger.log_metrics({"loss": 2.0}, 2)
    logger.finalize("failed")
    assert [record.getMessage() for record in caplog.records if "stopped" in record.getMessage()] != []
    assert len([record for record in caplog.records if record.name.startswith("imprint")]) == 1


def test_a_resumed_run_keeps_its_id(run: Run) -> None:
    for step in (1, 2):
        logger = tracker(run)
        logger.log_metrics({"loss": 1.0}, step)
        logger.finalize("success")
    assert {path.stem for path in run.folder.glob("wandb/offline-run-*/*.wandb")} == {"run-0123abcd"}


def test_off_is_no_logger_and_a_run_without_a_step_leaves_no_trace(run: Run) -> None:
    assert wandb_logger(WandbSettings("off", "p", None, None, [], 1, 1), run, name="x", config={}) is None
    tracker(run).finalize("failed")
    assert not run.folder.exists()
