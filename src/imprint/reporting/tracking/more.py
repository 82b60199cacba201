"""Loggers that are chosen: each a file here, and one in conf/report/loggers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from imprint.reporting.tracking.tracker import Tracker
from imprint.runs import Run


class LoggerChoice(ABC):
    """What a YAML in conf/report/loggers configures. Its constructor raises UserError where a package is missing."""

    @abstractmethod
    def tracker(self, run: Run, *, config: Mapping[str, Any]) -> Tracker:
        """It writes below the run's folder. `config` is free of secrets."""
