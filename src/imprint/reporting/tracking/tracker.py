"""What imprint tells of a run beyond Lightning's loggers: pictures, facts, and what came of it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pytorch_lightning.loggers.logger import Logger

from imprint.runs import Run


class SampleRow(NamedTuple):
    """One picture of the sampling protocol, and the untuned model's beside it."""

    prompt: str
    seed: int
    picture: Path
    untuned: Path | None


class Tracker(Logger):
    """A logger that may hear more. What one has no place for, it passes over."""

    def log_samples(self, step: int, rows: Sequence[SampleRow]) -> None:
        """Pictures drawn after a step."""

    def log_summary(self, facts: Mapping[str, Any]) -> None:
        """What training came to."""

    def rewind(self, step: int) -> None:
        """Training goes on after `step`: what was heard of later ones is void."""

    def conclude(self, run: Run | None) -> None:
        """The last that it hears: the finished run with its result, or None where there is none."""


@contextmanager
def concluding(loggers: Sequence[Logger], run: Run) -> Iterator[None]:
    """Within, the run is trained and its result written; afterwards the loggers are told how it ended."""
    trackers = [logger for logger in loggers if isinstance(logger, Tracker)]
    try:
        yield
    except BaseException:
        for tracker in trackers:
            tracker.conclude(None)
        raise
    for tracker in trackers:
        tracker.conclude(run)


class LoggerChoice(ABC):
    """What a YAML in conf/report/loggers configures. Its constructor raises UserError where a package is missing."""

    @abstractmethod
    def tracker(self, run: Run, *, config: Mapping[str, Any]) -> Tracker:
        """It writes below the run's folder. `config` is free of secrets."""
