"""A scoreboard's files: Markdown and LaTeX to read, CSV and JSON for programs, and figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from imprint.evaluation.score_sheet import ScoreSheet
from imprint.evaluation.statistics.intervals import Interval
from imprint.files import write_json, write_text
from imprint.reporting.scoreboard.board import Board, assemble
from imprint.reporting.scoreboard.columns import tradeoffs
from imprint.reporting.scoreboard.comparisons import Comparison
from imprint.reporting.scoreboard.costs import Cost
from imprint.reporting.scoreboard.scores import Score
from imprint.reporting.scoreboard.tables import tables
from imprint.tables.csv import as_csv
from imprint.tables.latex import latex
from imprint.tables.markdown import markdown, plain
from imprint.tables.table import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TESTS = ("p", "p_holm", "p_holm_all", "p_wilcoxon", "p_wilcoxon_holm", "rank_biserial", "hedges_g")  # of a comparison


@dataclass(frozen=True, kw_only=True)
class ScoreboardFiles:
    board: Board
    markdown: Path
    latex: Path
    csv: Path
    json: Path
    figures: Sequence[Path]


def write(
    sheets: Sequence[ScoreSheet],
    folder: Path,
    *,
    title: str,
    costs: Mapping[str, Cost] | None,
    notes: Sequence[str] = (),
    bootstrap: int,
    seed: int,
) -> ScoreboardFiles:
    """Writes scoreboard.{md,tex,csv,json} and figures/ into `folder`. `costs` are by the runs' names; `notes` come
    before the board's own.

    Raises UserError, before anything is written, for scores that cannot be on one board.
    """
    from imprint.reporting.scoreboard.style import save, styled

    board = assemble(sheets, title=title, costs=costs or {}, notes=notes, draws=bootstrap, seed=seed)
    shown = list(tables(board))
    figures: list[Path] = []
    with styled():
        for name, figure in _figures(board):
            figures += save(figure, folder / "figures", name)
    files = ScoreboardFiles(
        board=board,
        markdown=folder / "scoreboard.md",
        latex=folder / "scoreboard.tex",
        csv=folder / "scoreboard.csv",
        json=folder / "scoreboard.json",
        figures=figures,
    )
    write_text(files.markdown, _page(board, shown, [file for file in figures if file.suffix == ".svg"]))
    write_text(files.latex, "\n".join(map(latex, shown)))
    write_text(files.csv, as_csv(numbers(board)))
    write_json(files.json, as_json(board))
    return files


def _figures(board: Board) -> Iterator[tuple[str, "Figure"]]:
    from imprint.reporting.scoreboard.figures import means_figure, pareto_figure, subjects_figure

    yield "scores", means_figure(board)
    for across, up in tradeoffs(board.columns):
        yield f"{up.key}-against-{across.key}", pareto_figure(board, across, up)[0]
    if len(board.subjects) > 1 and board.contestants:
        for column in board.columns:
            yield f"subjects-{column.key}", subjects_figure(board, column)


def _page(board: Board, shown: Sequence[Table], figures: Sequence[Path]) -> str:
    notes = [f"- {plain(note)}" for note in board.notes]
    pictures = [f"![{plain(file.stem)}](figures/{quote(file.name)})" for file in figures]
    return "\n".join(
        [f"# {plain(board.title)}", "", *notes, "", *map(markdown, shown), "## Figures", "", *pictures, ""]
    )


class _Number(NamedTuple):
    """What the columns of the CSV are; empty where they do not apply."""

    entry: str
    role: str  # contestant, floor, ceiling
    against: str  # the second of a pair
    metric: str
    profile: str
    fingerprint: str
    kind: str
    subject: str
    category: str
    statistic: str
    value: float


def as_json(board: Board) -> dict[str, Any]:
    return {
        "title": board.title,
        "entries": [
            {
                **{key: value for key, value in entry._asdict().items() if key != "sheets"},
                "runs": list(dict.fromkeys(sheet.run for sheet in entry.sheets)),
                "seeds": sorted({sheet.seed for sheet in entry.sheets}),
                "pictures": asdict(board.pictures[entry.label]),
                "cost": board.costs.get(entry.label),
            }
            for entry in board.entries
        ],
        "columns": [asdict(column) for column in board.columns],
        "subjects": dict(board.subjects),
        "scores": [asdict(each) for each in board.scores],
        "leaders": [
            {"kind": kind, "column": column, **asdict(ahead), "is_best": ahead.is_best}
            for (kind, column), ahead in board.leaders.items()
        ],
        "comparisons": [asdict(each) for each in board.comparisons],
        "not_compared": [asdict(each) for each in board.not_compared],
        "published": [
            {**each.claim._asdict(), "columns": dict(each.metrics), "not_comparable": list(each.reasons)}
            for each in board.published
        ],
        "notes": list(board.notes),
    }


def numbers(board: Board) -> Table:
    """Every number on a row of its own."""
    return Table.of_values(_Number._fields, _numbers(board))


def _numbers(board: Board) -> Iterator[_Number]:
    columns = {column.key: column for column in board.columns}
    roles = {entry.label: entry.role for entry in board.entries}

    def rows(
        each: Score | Comparison, entry: str, values: Mapping[str, float | None], **place: str
    ) -> Iterator[_Number]:
        column = columns[each.column]
        for statistic, value in values.items():
            if value is not None:
                yield _Number(
                    entry=entry,
                    role=roles[entry],
                    metric=column.name,
                    profile=column.profile,
                    fingerprint=column.facts.fingerprint,
                    statistic=statistic,
                    value=value,
                    **place,
                )

    values: dict[str, float | None]
    for score in board.scores:
        values = {"mean": score.mean, **_bounds(score.interval), "subjects": score.subjects}
        values["lost_prompts"] = score.lost or None
        values["seed_spread"] = score.seed_spread
        place = {"kind": score.kind, "subject": score.subject or "", "category": score.category or ""}
        yield from rows(score, score.entry, values, against="", **place)
    for pair in board.comparisons:
        values = {"difference": pair.difference, **_bounds(pair.interval), pair.unit: pair.units}
        values["lost_prompts"] = pair.lost or None
        values |= {name: getattr(pair, name) for name in TESTS}
        yield from rows(pair, pair.first, values, against=pair.second, kind="all", subject="", category="")


def _bounds(interval: Interval | None) -> dict[str, float]:
    return {"low": interval.low, "high": interval.high} if interval else {}
