"""imprint train: check, train, save.

The same command again resumes an unfinished run and skips a finished one.
"""

import logging
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from imprint.fitting import train_and_score
from imprint.launching import forecast
from imprint.libraries.lightning import process_rank
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
    plan = _trained(cfg)
    alone = HydraConfig.initialized() and HydraConfig.get().mode is not RunMode.MULTIRUN
    if alone and process_rank() == 0:
        for line in next_steps(plan.run):
            log.info(line)
    return objective_of(plan)


def next_steps(run: Run) -> Iterator[str]:
    """What there is to look at, and what can be done with it."""
    place = Path(os.path.relpath(run.folder))
    if (run.samples / "sheet.png").is_file():
        yield f"Look at   {place / 'samples' / 'sheet.png'}"
    given = shlex.quote(str(place))
    yield f'Draw      imprint generate {given} prompt="a {{identifier}} {{noun}} on the beach"'
    yield f"Score     imprint evaluate {given} evaluation=quick"


def train(cfg: DictConfig) -> Run:
    """The finished run of `cfg`. Raises UserError for mistakes of the user; the run's folder then says why."""
    return _trained(cfg).run


def _trained(cfg: DictConfig) -> Plan:
    plan = prepare(cfg)
    train_and_score(plan, cfg)
    return plan
