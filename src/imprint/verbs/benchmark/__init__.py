"""imprint benchmark: one model for each subject of a collection, each scored, and all in one table.

The same command again goes on where it was: finished runs are not trained again, and scores that are there are kept.
"""

import logging
from pathlib import Path

from omegaconf import DictConfig

from imprint.build.scoring import scored
from imprint.errors import UserError
from imprint.reporting.scoreboard import ScoreboardFiles
from imprint.verbs.benchmark.campaign import Campaign, planned
from imprint.verbs.benchmark.crew import one_by_one, side_by_side
from imprint.verbs.benchmark.progress import Progress, described
from imprint.verbs.benchmark.table import write_table

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> None:
    benchmark(cfg)


def benchmark(cfg: DictConfig) -> ScoreboardFiles | None:
    """The table's files; None after a dry run. Raises UserError at the end if any run failed."""
    campaign = planned(cfg)
    sheets = _sheets_before(campaign)
    if campaign.request.dry_run:
        for line in described(campaign, done=sheets.keys()):
            log.info(line)
        return None
    failures = _work_off(campaign, sheets)
    files = write_table(campaign, list(sheets.values()), failures) if sheets else None
    if files:
        log.info("Table: %s", files.markdown)
    if failures:
        lines = [f"  - {name}: {reason}" for name, reason in failures.items()]
        title = f"{len(failures)} of {len(campaign.jobs)} runs failed; the same command tries them again:"
        raise UserError("\n".join([title, *lines]))
    return files


def _sheets_before(campaign: Campaign) -> dict[str, Path]:
    """Of the runs that need nothing more, by their names."""
    finished = [job.run for job in campaign.jobs if job.trained]
    found = {
        run.folder.name: scored(run, campaign.request.evaluation, accelerator=campaign.accelerator) for run in finished
    }
    return {name: sheets[0] for name, sheets in found.items() if sheets}


def _work_off(campaign: Campaign, sheets: dict[str, Path]) -> dict[str, str]:
    """Adds to `sheets`; returns why runs failed, by their names."""
    request = campaign.request
    left = [job for job in campaign.jobs if job.name not in sheets]
    progress = Progress(left, total=len(campaign.jobs), processes=request.processes)
    log.info("%d runs: %d are done, %d to do.", len(campaign.jobs), len(sheets), len(left))
    if request.processes == 1:
        finished = one_by_one(left, request.evaluation)
    else:
        finished = side_by_side(left, request.processes, campaign.evaluation)
    failures = {}
    for job, outcome in finished:
        progress.tell(job, outcome)
        if outcome.sheet is None:
            failures[job.name] = outcome.reason
        else:
            sheets[job.name] = outcome.sheet
    return failures
