"""One run of a benchmark: trained, then scored."""

import time
from pathlib import Path
from typing import Literal, NamedTuple

from filelock import FileLock, Timeout
from omegaconf import DictConfig

from imprint.build.scoring import score_run, scoring_noted
from imprint.errors import RunBusy
from imprint.evaluation.profile import Profile
from imprint.reporting.tracking.scores import log_scores
from imprint.runs import Run
from imprint.verbs.train import train


class Outcome(NamedTuple):
    """`busy`: another process is at it. What is done has a sheet, what failed has a reason."""

    state: Literal["done", "failed", "busy"]
    training: float = 0.0  # seconds
    scoring: float = 0.0
    sheet: Path | None = None
    reason: str = ""


def train_and_score(cfg: DictConfig, profile: Profile) -> Outcome:
    """Raises nothing but an interruption. Why it failed lies in the run's folder, too."""
    began = time.monotonic()
    try:
        run = train(cfg)
    except RunBusy:
        return Outcome("busy")
    except Exception as error:  # train has written it down
        return Outcome("failed", reason=_told(error))
    trained = time.monotonic()
    try:
        with scoring_noted(run):
            sheets = score_run(run, profile, accelerator=cfg.trainer.accelerator)
    except Exception as error:
        return Outcome("failed", reason=f"it is trained and cannot be scored: {_told(error)}")
    log_scores(run, sheets)
    return Outcome("done", training=trained - began, scoring=time.monotonic() - trained, sheet=next(iter(sheets), None))


def is_elsewhere(run: Run) -> bool:
    """Whether another process is training it right now."""
    if not run.folder.is_dir():
        return False
    lock = FileLock(run.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
