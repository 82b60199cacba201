"""imprint train: check, train, save.

The same command again resumes an unfinished run and skips a finished one.
"""

import gc
import logging

from omegaconf import DictConfig

from imprint.build import Plan, assemble, prepare, score_run, scored, scoring_noted
from imprint.fitting import carry_out
from imprint.launching import foretold, objective_of
from imprint.libraries.lightning import process_rank
from imprint.relaunch import single_run_command_line
from imprint.reporting.tracking.scores import log_scores
from imprint.runs import Run

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> float | list[float] | None:
    """What a search goes by, where the run is scored by it."""
    if cfg.dry_run:
        for line in foretold(cfg):
            log.info(line)
        return None
    run = train(cfg)
    profile = cfg.evaluation.name if cfg.evaluation else None
    return objective_of(run, profile, cfg.sweep.objectives)


def train(cfg: DictConfig) -> Run:
    """The finished run of `cfg`. Raises UserError for what the user can mend; the run's folder then says why."""
    plan = prepare(cfg)
    run = plan.run
    if run.status == "finished":
        log.info("Finished before: %s", run.folder)
        _score(plan)
        return run
    with single_run_command_line():
        carry_out(plan, cfg, assemble)
    gc.collect()  # trainer and network hold each other: both would stay beside what judges, and the next point's
    _score(plan)
    return run


def _score(plan: Plan) -> None:
    """The finished run, by its evaluation, where it has one and its scores are not there yet."""
    profile, accelerator = plan.parts.evaluation, plan.parts.trainer.accelerator
    if profile is None or process_rank() != 0:
        return
    encoders = plan.parts.model.encoders
    files = scored(plan.run, profile, accelerator=accelerator, encoders=encoders)
    if not files:
        with scoring_noted(plan.run):
            files = score_run(plan.run, profile, accelerator=accelerator, encoders=encoders)
        for file in files:
            log.info("Scores: %s", file)
    log_scores(plan.run, files, plan.parts.report.wandb)
