"""The table of runs: settings that differ, scores, and costs; floors and ceilings below."""

from collections.abc import Iterator, Mapping, Sequence

from imprint.evaluation.score_sheet import headed
from imprint.reporting.labels import differing, headings, short
from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.costs import COST_COLUMNS, GROUP, cost_cells
from imprint.reporting.units import score
from imprint.tables.table import UNKNOWN, Cell, Column, Line, Row, Table

STEPS = "hparams.steps"
FEW = 8  # values; a column of so few can be filtered by them
BLANK = Cell("")
TRAINING_COLUMNS = [
    Column("steps", "{:,}".format, about="optimiser steps", group=GROUP),
    Column("loss", "{:.4f}".format, about="mean of the last steps; it says little about quality", group=GROUP),
    *COST_COLUMNS,
]


def run_table(
    records: Sequence[RunRecord],
    scores: RunScores,
    keys: Sequence[str],
    *,
    lines: Mapping[str, Line] | None = None,
    names: Mapping[str, str] | None = None,
    is_sweep: bool = False,
) -> Table:
    """`keys` are the settings that have columns, `lines` how each run is drawn and `names` how figures call it, by its
    own name. Points of a sweep always have a status."""
    scored = sorted(scores.columns, key=lambda column: _order(column, scores))
    statuses = [_status(record, scores) for record in records]
    has_status = is_sweep or any(cell.value != "finished" for cell in statuses)
    measured = [_column(records, scores, column) for column in scored]
    first_cost = int(_steps_are_shown(records, keys))
    costs = TRAINING_COLUMNS[first_cost:]
    settings = [Column(text, short, "text", about=key) for key, text in headings(keys).items()]
    status = [Column("status", kind="text")] if has_status else []
    rows = [
        Row(
            [
                _label(record, number, is_sweep)._replace(short=(names or {}).get(record.name, "")),
                *(Cell(record.settings.get(key)) for key in keys),
                *statuses[number - 1 : number if has_status else 0],
                *(cells[number - 1] for cells in measured),
                *training_cells(record)[first_cost:],
            ],
            name=record.name,
            line=(lines or {}).get(record.name),
        )
        for number, record in enumerate(records, start=1)
    ]
    references = [
        Row([Cell(name), *[BLANK] * len(settings + status), *cells, *[BLANK] * len(costs)], is_reference=True)
        for name, cells in _references(scores, scored)
    ]
    label = Column("point" if is_sweep else "run", kind="text")
    middle = [_heading(column, scored, scores) for column in scored]
    return Table(columns=[label, *settings, *status, *middle, *costs], rows=[*rows, *references])


def training_cells(record: RunRecord) -> list[Cell]:
    """Of TRAINING_COLUMNS."""
    return [Cell(record.steps), Cell(record.loss), *cost_cells(record.cost)]


def other_settings(records: Sequence[RunRecord], keys: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Those that differ and have no column: key, value of each run."""
    settings = [record.settings for record in records]
    return [(key, [own.get(key, UNKNOWN) for own in settings]) for key in differing(settings) if key not in keys]


def choices(table: Table) -> Iterator[tuple[int, str, Sequence[str]]]:
    """Columns of words that have a few values: place, heading, values."""
    for place, column in enumerate(table.columns[1:], start=1):
        values = list(dict.fromkeys(str(row.cells[place].value or "") for row in table.rows if not row.is_reference))
        if column.kind == "text" and 1 < len(values) <= FEW:
            yield place, column.heading, values


def _label(record: RunRecord, number: int, is_sweep: bool) -> Cell:
    about = "\n".join([record.name, *record.overrides]) if record.overrides else ""
    return Cell(number, detail=record.name.rpartition("-")[2], about=about) if is_sweep else Cell(record.name)


def _status(record: RunRecord, scores: RunScores) -> Cell:
    word = record.status_word
    if record.scoring_error:
        return Cell("scoring failed", state="failed", link="failures")
    if record.status == "finished" and scores.columns and not scores.sheets[record.folder]:
        # Amber where scores are still to come; nobody has asked for those of others.
        return Cell(
            "not scored",
            about="finished; imprint evaluate scores it",
            state="running" if record.is_to_be_scored else "absent",
        )
    total = record.settings.get(STEPS, "")
    link = "failures" if record.status == "failed" else ""
    if record.status in ("running", "stopped") and record.steps and total.isdigit():
        share = f"{record.steps / int(total):.0%}"
        return Cell(word, detail=share, about=f"{record.steps} of {total} steps", state=record.status)
    return Cell(word, state=record.status, link=link)


def _steps_are_shown(records: Sequence[RunRecord], keys: Sequence[str]) -> bool:
    """Whether the column of the setting already shows how many steps the finished runs made."""
    finished = [record for record in records if record.status == "finished"]
    return STEPS in keys and all(str(record.steps) == record.settings.get(STEPS) for record in finished)


def _column(records: Sequence[RunRecord], scores: RunScores, column: ScoreColumn) -> list[Cell]:
    """Of each run. The best one is marked, where one is (`scoreboard/leading.py`)."""
    found = scores.leader(records, column)
    best = found[0].folder if found and found[1].is_best else None
    return [_score(scores, record, column)._replace(is_best=record.folder == best) for record in records]


def _score(scores: RunScores, record: RunRecord, column: ScoreColumn) -> Cell:
    """The mean over the run's subjects."""
    mean, subjects = scores.mean(record, column), len(scores.sheets_with(record, column))
    interval = scores.interval(record, column)
    over = f"mean over {subjects} subjects" if subjects > 1 else ""
    interval_text = f"the 95% interval covers {interval.covers}" if interval else ""
    about = "; ".join(text for text in (over, interval_text) if text)
    return Cell(mean, (interval.low, interval.high) if interval else None, about=about)


def _order(column: ScoreColumn, scores: RunScores) -> int:
    """Columns of a profile are neighbours, profiles in the order in which they first appear."""
    return [scores.profiles(each) for each in scores.columns].index(scores.profiles(column))


def _heading(column: ScoreColumn, others: Sequence[ScoreColumn], scores: RunScores) -> Column:
    facts = column.facts
    group = scores.profiles(column)
    alike = [other for other in others if other.facts.title == facts.title and scores.profiles(other) == group]
    title = facts.title if len(alike) == 1 else f"{facts.title} ({facts.fingerprint[:6]})"
    better = "" if facts.better == "neither" else f", {facts.better} is better"
    about = f"{facts.encoder_names or 'no encoder'}{better}; fingerprint {facts.fingerprint}"
    return Column(headed(title, facts.better), score, about=about, group=group, best_first=facts.better == "higher")


def _references(scores: RunScores, columns: Sequence[ScoreColumn]) -> Iterator[tuple[str, Sequence[Cell]]]:
    board = scores.board
    for entry in board.entries if board else ():
        if board is None or entry.role == "contestant":
            continue
        found = [board.score(entry.label, column.key) for column in columns]
        subjects = len({sheet.subject for sheet in entry.sheets})
        name = entry.label if subjects == 1 else f"{entry.label} ({subjects} subjects)"
        yield name, [Cell(each.mean if each else None) for each in found]
