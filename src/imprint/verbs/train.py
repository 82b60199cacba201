"""imprint train: check, train, save.

The same command again resumes an unfinished run and skips a finished one.
"""

import logging

from omegaconf import DictConfig

from imprint.fitting import train_and_score
from imprint.launching import forecast
from imprint.planning.parts import Plan
from imprint.planning.prepare import prepare
from imprint.runs import Run
from imprint.scoring.score import objective_of

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> float | list[float] | None:
    """The value that a search optimises, where the run is scored."""
    if cfg.dry_run:
        for line in forecast(cfg):
            log.info(line)
        return None
    return objective_of(_trained(cfg))


def train(cfg: DictConfig) -> Run:
    """The finished run of `cfg`. Raises UserError for mistakes of the user; the run's folder then says why."""
    return _trained(cfg).run


def _trained(cfg: DictConfig) -> Plan:
    plan = prepare(cfg)
    train_and_score(plan, cfg)
    return plan
