"""A board's files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from imprint.evaluation.sheet import ScoreSheet
from imprint.files import write_json, write_text
from imprint.reporting.scoreboard.board import Board, assemble
from imprint.reporting.scoreboard.costs import Cost
from imprint.reporting.scoreboard.latex import latex
from imprint.reporting.scoreboard.markdown import markdown, plain
from imprint.reporting.scoreboard.means_figure import means_figure
from imprint.reporting.scoreboard.numbers import as_csv, as_json
from imprint.reporting.scoreboard.pareto_figure import pareto_figure, tradeoffs
from imprint.reporting.scoreboard.style import save, styled
from imprint.reporting.scoreboard.subjects_figure import subjects_figure
from imprint.reporting.scoreboard.table import Table
from imprint.reporting.scoreboard.tables import tables


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
    """Writes scoreboard.{md,tex,csv,json} and figures/ into `folder`. `costs` are by the runs' names; `notes` stand
    before the board's own.

    Raises UserError, before anything is written, for scores that cannot stand on one board.
    """
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
    write_text(files.csv, as_csv(board))
    write_json(files.json, as_json(board))
    return files


def _figures(board: Board) -> Iterator[tuple[str, Figure]]:
    yield "scores", means_figure(board)
    for across, up in tradeoffs(board):
        yield f"{up.key}-against-{across.key}", pareto_figure(board, across, up)
    if len(board.subjects) > 1 and board.contestants:
        for column in board.columns:
            yield f"subjects-{column.key}", subjects_figure(board, column)


def _page(board: Board, shown: Sequence[Table], figures: Sequence[Path]) -> str:
    notes = [f"- {plain(note)}" for note in board.notes]
    pictures = [f"![{plain(file.stem)}](figures/{file.name})" for file in figures]
    return "\n".join(
        [f"# {plain(board.title)}", "", *notes, "", *map(markdown, shown), "## Figures", "", *pictures, ""]
    )
