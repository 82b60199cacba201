"""The table of everything that was scored alike in one folder, whichever command made it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from imprint.errors import UserError
from imprint.evaluation.fingerprints import fingerprint
from imprint.evaluation.sheet import ScoreSheet
from imprint.reporting.scoreboard import ScoreboardFiles, cost_of, write
from imprint.runs import Run
from imprint.verbs.benchmark.campaign import Campaign

FOLDER = "benchmark"
BOOTSTRAP = 10_000  # draws
SEED = 0


def write_table(campaign: Campaign, own: Sequence[Path], failures: Mapping[str, str]) -> ScoreboardFiles:
    """Of all sheets in the folder whose numbers mean what those of the campaign's `own` mean, in
    <outputs>/benchmark/<profile>-<what they mean>/.

    `failures` are reasons by the names of runs; those that lie in the runs' folders are told, too.
    """
    profile = campaign.request.evaluation.name
    meant = _meaning(ScoreSheet.read(own[0]))
    runs = [Run(manifest.parent) for manifest in sorted(campaign.outputs.glob("*/manifest.json"))]
    sheets = [sheet for run in runs for sheet in _sheets(run, profile) if _meaning(sheet) == meant]
    told = {**_failures(runs), **failures}
    return write(
        sheets,
        campaign.outputs / FOLDER / f"{profile}-{meant}",
        title=f"Benchmark: {profile}",
        costs={run.folder.name: cost_of(run) for run in runs},
        notes=[f"{name} failed: {_line(reason)}" for name, reason in sorted(told.items())],
        bootstrap=BOOTSTRAP,
        seed=SEED,
    )


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
