"""TensorBoard, through Lightning's logger: curves, pictures, the configuration."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import yaml
from pydantic import PositiveInt
from pytorch_lightning.loggers import TensorBoardLogger
from pytorch_lightning.utilities import rank_zero_only

from imprint.errors import UserError
from imprint.pictures.files import open_picture
from imprint.reporting.tracking.more import LoggerChoice
from imprint.reporting.tracking.tracker import SampleRow, Tracker
from imprint.runs import Run


class TensorBoard(LoggerChoice):
    def __init__(self, *, flush_seconds: PositiveInt) -> None:
        self._flush_seconds = flush_seconds
        if find_spec("tensorboard") is None:
            raise UserError(
                "report/loggers=tensorboard: TensorBoard is not installed. "
                'Run pip install "imprint-diffusion[tensorboard]", or leave it out.'
            )

    def tracker(self, run: Run, *, config: Mapping[str, Any]) -> Tracker:
        return TensorBoardTracker(run, config, self._flush_seconds)


class TensorBoardTracker(Tracker, TensorBoardLogger):
    """Writes to the run's tensorboard/, so that `tensorboard --logdir outputs` shows runs by their names."""

    def __init__(self, run: Run, config: Mapping[str, Any], flush_seconds: int) -> None:
        TensorBoardLogger.__init__(
            self,
            str(run.folder),
            name="tensorboard",
            version="",
            default_hp_metric=False,
            flush_secs=flush_seconds,
        )
        self._config = config

    @rank_zero_only
    def rewind(self, step: int) -> None:
        """A mark in the file: its readers forget the steps that will be taken again."""
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog

        if step:
            start = Event(step=step + 1, session_log=SessionLog(status=SessionLog.START))
            self.experiment.file_writer.add_event(start, step + 1)
        else:
            self.experiment.add_text("config", f"<pre>{yaml.safe_dump(dict(self._config), sort_keys=False)}</pre>")

    @rank_zero_only
    def log_samples(self, step: int, rows: Sequence[SampleRow]) -> None:
        for row in rows:
            pixels_HWC = np.asarray(open_picture(row.picture))
            self.experiment.add_image(f"{row.prompt}/seed {row.seed}", pixels_HWC, step, dataformats="HWC")

    @rank_zero_only
    def log_summary(self, facts: Mapping[str, Any]) -> None:
        self.experiment.add_text("summary", f"<pre>{yaml.safe_dump(dict(facts), sort_keys=False)}</pre>")
