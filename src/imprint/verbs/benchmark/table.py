"""The table of everything that was scored alike in one folder, whichever command made it."""

import logging
from collections.abc import Iterator, Mapping, Sequence

from imprint.errors import UserError
from imprint.evaluation.fingerprints import fingerprint
from imprint.evaluation.sheet import ScoreSheet
from imprint.launching.plan import PlannedPoint
from imprint.launching.status import first_line
from imprint.reporting.scoreboard import cost_of, write
from imprint.runs import Run
from imprint.scoring.score import sheets_of

log = logging.getLogger(__name__)

FOLDER = "benchmark"
BOOTSTRAP = 10_000  # draws
SEED = 0


def write_tables(points: Sequence[PlannedPoint], failures: Mapping[str, str]) -> None:
    """In <outputs>/benchmark/<profile>-<what its numbers mean>/, of all sheets in the folder whose numbers mean what
    those of these points do: one table, but where points have judges of their own, as those of another model may.

    `failures` are reasons by the names of runs; those that lie in the runs' folders are told, too.
    """
    own = [file for point in points if point.name not in failures for file in sheets_of(point.plan)]
    outputs, profile = points[0].run.folder.parent, points[0].profile
    assert profile is not None
    runs = [Run(manifest.parent) for manifest in sorted(outputs.glob("*/manifest.json"))]
    sheets = [sheet for run in runs for sheet in _sheets(run, profile)]
    told = {**_failures(runs), **{name: first_line(reason) for name, reason in failures.items()}}
    for meant in dict.fromkeys(_meaning(ScoreSheet.read(file)) for file in own):
        files = write(
            [sheet for sheet in sheets if _meaning(sheet) == meant],
            outputs / FOLDER / f"{profile}-{meant}",
            title=f"Benchmark: {profile}",
            costs={run.folder.name: cost_of(run) for run in runs},
            notes=[f"{name} failed: {_line(reason)}" for name, reason in sorted(told.items())],
            bootstrap=BOOTSTRAP,
            seed=SEED,
        )
        log.info("Table: %s", files.markdown)


def _sheets(run: Run, profile: str) -> Iterator[ScoreSheet]:
    for file in sorted((run.folder / "scores").glob(f"{profile}-*.json")):
        yield ScoreSheet.read(file)


def _meaning(sheet: ScoreSheet) -> str:
    return fingerprint({name: facts.fingerprint for name, facts in sheet.metrics.items()})


def _failures(runs: Sequence[Run]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for run in runs:
        try:
            manifest = run.read()
        except UserError as error:
            reasons[run.folder.name] = str(error)
            continue
        if manifest.status == "failed":
            reasons[run.folder.name] = manifest.error
        elif (note := run.scoring_error).is_file():
            reasons[run.folder.name] = f"it is trained and cannot be scored: {note.read_text(encoding='utf-8')}"
    return reasons


def _line(text: str) -> str:
    """All of it in one line, the end of a stack trace alone."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines) if "Traceback" not in text else lines[-1]
