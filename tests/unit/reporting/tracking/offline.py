"""Reads back what offline W&B runs hold, with W&B's own reader, and uploads them with its own command."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imprint.reporting.tracking.session import WandbSettings

WANDB = str(Path(sys.executable).with_name("wandb"))


def settings(mode: str = "offline", **changes: Any) -> WandbSettings:
    usual = WandbSettings(mode, "imprint", None, "my-grid", ["a", "b"], 2, 20, 1000)  # type: ignore[arg-type]
    return usual._replace(**changes)


def stays(folder: Path) -> list[Path]:
    """The offline runs below `folder`, in the order of their beginning."""
    return sorted(folder.glob("wandb/offline-run-*"))


def records(stay: Path) -> list[dict[str, Any]]:
    (log,) = stay.glob("*.wandb")
    return [json.loads(line) for line in _told(log, "--json").splitlines()]


def summary(stay: Path) -> dict[str, Any]:
    """State, configuration, last values."""
    (log,) = stay.glob("*.wandb")
    content: dict[str, Any] = json.loads(_told(log, "--summary", "--json"))
    return content


def history(stay: Path) -> list[dict[str, Any]]:
    return [record["history"]["item"] for record in records(stay) if record["type"] == "history"]


def begun(stay: Path) -> dict[str, Any]:
    """How the run was begun: id, name, group, job, tags."""
    return next(record["run"] for record in records(stay) if record["type"] == "run")


def artifacts(stay: Path) -> Iterator[dict[str, Any]]:
    """All but the tables, which W&B keeps as artifacts, too."""
    for record in records(stay):
        if record["type"] == "artifact" and record["artifact"]["type"] != "run_table":
            yield record["artifact"]


def table(stay: Path, key: str) -> list[dict[str, Any]]:
    """The rows of the last table of this name, as it would be uploaded."""
    uploads = [
        Path(entry["local_path"])
        for record in records(stay)
        if record["type"] == "artifact"
        for entry in record["artifact"]["manifest"]["contents"]
        if entry["path"] == f"{key}.table.json"
    ]
    content = json.loads(uploads[-1].read_text(encoding="utf-8"))
    return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]


def sync(folder: Path) -> None:
    """As a user does."""
    paths = [str(stay) for stay in stays(folder)]
    subprocess.run([WANDB, "sync", "--yes", *paths], check=True, capture_output=True, cwd=folder, timeout=120)


def _told(log: Path, *flags: str) -> str:
    command = [WANDB, "leet", "inspect", *flags, str(log)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=log.parent).stdout
