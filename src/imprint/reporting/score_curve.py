"""Scores during training: a curve that shows learning and overfitting, and the rules that use it."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers.logger import Logger

from imprint.evaluation.profile import Profile
from imprint.evaluation.watch import LiveScore, Watch
from imprint.files import folder_atomically
from imprint.models.base import Model
from imprint.reporting.local import LocalLogger
from imprint.reporting.metrics_file import read_metrics
from imprint.reporting.step_callback import StepCallback
from imprint.runs import Run
from imprint.training.drawing import first_alone, generation, undisturbed
from imprint.training.module import TrainingModule

log = logging.getLogger(__name__)

Scoring = Callable[[Model, int], Mapping[str, LiveScore]]  # by metric, the model as it is after a step


class ScoreCurve(StepCallback):
    """Scores on rank zero, with the averaged weights, at the steps that `watch` names: scores/curve.csv, the trackers,
    and the manifest's `watch` entry (looks, seconds, their share of the training's time, what the rules chose).

    Only the rules change the training: `keep=best` keeps the best result in best/, and `patience` ends it.
    """

    def __init__(
        self,
        run: Run,
        watch: Watch,
        profile: Profile,
        *,
        score: Scoring,
        save: Callable[[TrainingModule, Path, int], None],
        trackers: Sequence[Logger],
    ) -> None:
        super().__init__(watch.due)
        self._run = run
        self._watch = watch
        self._profile = profile
        self._score_model = score
        self._save = save
        self._trackers = trackers
        self._curve = LocalLogger(run.score_curve)
        self._began = time.monotonic()
        self._earlier: dict[str, Any] = {}
        self._seconds = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._began = time.monotonic()
        if trainer.is_global_zero:
            self._curve.rewind(trainer.global_step)
            self._earlier = dict(self._run.read().watch) if trainer.global_step else {}
        super().on_train_start(trainer, pl_module)

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_fit_end(trainer, pl_module)
        self._curve.finalize("success")

    def act(self, trainer: pl.Trainer, module: Any) -> None:
        over = False
        with first_alone(trainer, module) as is_first:
            if is_first and self._step not in self._steps():
                over = self._look(trainer, module)
        if trainer.strategy.broadcast(over, src=0):
            trainer.should_stop = True

    def _look(self, trainer: pl.Trainer, module: TrainingModule) -> bool:
        """Whether training is to end."""
        began = time.monotonic()
        with generation(trainer, module):
            found = self._score_model(module.model, self._step)
        scores = {self._column(name, score.fingerprint): score.mean for name, score in found.items()}
        for logger in (self._curve, *self._trackers):
            logger.log_metrics(scores, self._step)
        self._seconds += time.monotonic() - began
        return self._apply_rules(module)

    def _apply_rules(self, module: TrainingModule) -> bool:
        """Keeps the result if it is the best so far, and notes all in the manifest; whether training is to end."""
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
        """Of all sessions: the seconds that scoring took, and its share of the whole time."""
        scoring = self._earlier.get("seconds", 0.0) + self._seconds
        whole = self._earlier.get("of_seconds", 0.0) + time.monotonic() - self._began
        return {"seconds": round(scoring, 3), "of_seconds": round(whole, 3), "share": round(scoring / whole, 4)}

    def _steps(self) -> list[int]:
        return [int(step) for step in read_metrics(self._run.score_curve).get("step", []) if step is not None]

    def _scores(self) -> list[float]:
        curve = read_metrics(self._run.score_curve)
        [column] = [values for name, values in curve.items() if name.startswith(self._column(str(self._watch.by), ""))]
        return [float("nan") if value is None else value for value in column]

    def _column(self, metric: str, fingerprint: str) -> str:
        """Numbers with different fingerprints are never in one curve."""
        return f"{self._profile.name}/{metric}@{fingerprint[:6]}"
