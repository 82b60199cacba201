"""Lightning's own CSV logger, for programs that read its layout. The run's metrics.csv is always there."""

from collections.abc import Mapping
from typing import Any

from pydantic import PositiveInt
from pytorch_lightning.loggers import CSVLogger

from imprint.kinds import of_kind
from imprint.reporting.tracking.more import LoggerChoice
from imprint.reporting.tracking.tracker import Tracker
from imprint.runs import Run


@of_kind("logger/csv")
class Csv(LoggerChoice):
    def __init__(self, *, flush_every: PositiveInt) -> None:
        self._flush_every = flush_every

    def tracker(self, run: Run, *, config: Mapping[str, Any]) -> Tracker:
        return CsvTracker(run, config, self._flush_every)


class CsvTracker(Tracker, CSVLogger):
    """Each start has a folder of its own, csv/version_0, version_1, ...: in a folder that is there Lightning would
    delete what the first start wrote."""

    def __init__(self, run: Run, config: Mapping[str, Any], flush_every: int) -> None:
        CSVLogger.__init__(self, str(run.folder), name="csv", flush_logs_every_n_steps=flush_every)
        self._config = config

    def rewind(self, step: int) -> None:
        self.log_hyperparams(dict(self._config))
