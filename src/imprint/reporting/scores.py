"""Scores on the way: a curve that shows learning and overfitting, and the rules that go by it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers.logger import Logger

from imprint.evaluation.profile import Profile
from imprint.evaluation.watch import Look, Watch
from imprint.files import folder_atomically
from imprint.libraries.lightning import precision_of
from imprint.models.base import Model
from imprint.reporting.local import LocalLogger, read_metrics
from imprint.reporting.samples import undisturbed
from imprint.runs import Run
from imprint.training.module import TrainingModule

log = logging.getLogger(__name__)

Looking = Callable[[Model, int], Mapping[str, Look]]  # by metric, the model as it is after a step


class ScoreCurve(pl.Callback):
    """Scores on rank zero, with the averaged weights, at the steps that `watch` names: scores/curve.csv, the trackers,
    and the manifest's `watch` entry (looks, seconds, their share of the training's time, what the rules chose).

    Training does not notice, but for the rules: `keep=best` keeps the best result in best/, and `patience` ends it.
    """

    def __init__(
        self,
        run: Run,
        watch: Watch,
        profile: Profile,
        *,
        look: Looking,
        save: Callable[[TrainingModule, Path, int], None],
        trackers: Sequence[Logger],
    ) -> None:
        self._run = run
        self._watch = watch
        self._profile = profile
        self._look = look
        self._save = save
        self._trackers = trackers
        self._curve = LocalLogger(run.score_curve)
        self._step = 0
        self._began = time.monotonic()
        self._earlier: dict[str, Any] = {}
        self._seconds = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._step = trainer.global_step
        self._began = time.monotonic()
        if trainer.is_global_zero:
            self._curve.rewind(self._step)
            self._earlier = dict(self._run.read().watch) if self._step else {}
        self._look_if_due(trainer, pl_module, total=trainer.max_steps)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step > self._step:
            self._step = trainer.global_step
            self._look_if_due(trainer, pl_module, total=trainer.max_steps)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._step = trainer.global_step
        self._look_if_due(trainer, pl_module, total=self._step)
        self._curve.finalize("success")

    def _look_if_due(self, trainer: pl.Trainer, module: Any, *, total: int) -> None:
        if not self._watch.due(self._step, total):
            return
        over = False
        if trainer.is_global_zero and self._step not in self._steps():
            began = time.monotonic()
            quiet = undisturbed(module, trainer.strategy.root_device)
            with quiet, module.generating(), precision_of(trainer):
                found = self._look(module.model, self._step)
            scores = {self._column(name, look.fingerprint): look.mean for name, look in found.items()}
            for logger in (self._curve, *self._trackers):
                logger.log_metrics(scores, self._step)
            self._seconds += time.monotonic() - began
            over = self._apply_rules(module)
        if trainer.strategy.broadcast(over, src=0):
            trainer.should_stop = True

    def _apply_rules(self, module: TrainingModule) -> bool:
        """Keeps the result if it is the best so far, and notes all; whether training is to end here."""
        facts: dict[str, Any] = {"profile": self._profile.name, "looks": len(self._steps()), **self._cost()}
        over = False
        if self._watch.by:
            steps, scores = self._steps(), self._scores()
            best = self._watch.best(scores, self._profile)
            over = self._watch.is_over(scores, self._profile)
            facts |= {"by": self._watch.by, "best_step": steps[best], "best": scores[best]}
            if self._watch.keep == "best" and steps[best] == self._step:
                with undisturbed(module, module.device), folder_atomically(self._run.best) as folder:
                    self._save(module, folder, self._step)
            if over:
                facts["stopped_at"] = self._step
                message = "No better %s since step %d: training ends at step %d."
                log.info(message, self._watch.by, steps[best], self._step)
        self._run.note({"watch": facts})
        return over

    def _cost(self) -> dict[str, float]:
        """Of all sessions: the looks' seconds, and which part of the whole time they took."""
        looking = self._earlier.get("seconds", 0.0) + self._seconds
        whole = self._earlier.get("of_seconds", 0.0) + time.monotonic() - self._began
        return {"seconds": round(looking, 3), "of_seconds": round(whole, 3), "share": round(looking / whole, 4)}

    def _steps(self) -> list[int]:
        return [int(step) for step in read_metrics(self._run.score_curve).get("step", []) if step is not None]

    def _scores(self) -> list[float]:
        curve = read_metrics(self._run.score_curve)
        [column] = [values for name, values in curve.items() if name.startswith(self._column(str(self._watch.by), ""))]
        return [float("nan") if value is None else value for value in column]

    def _column(self, metric: str, fingerprint: str) -> str:
        """Numbers that mean different things are never in one curve."""
        return f"{self._profile.name}/{metric}@{fingerprint[:6]}"
