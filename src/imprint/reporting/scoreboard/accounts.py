"""Tables of what stands behind the scores: pictures, costs, and what others have published."""

from imprint.reporting.scoreboard.beside import Beside
from imprint.reporting.scoreboard.board import Board
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.lines import entry_line
from imprint.reporting.scoreboard.table import EMPTY, Cell, Line, Table
from imprint.reporting.units import duration, memory, quantity, score, size


def pictures(board: Board) -> Table:
    shown = [entry for entry in board.entries if board.pictures[entry.label].asked]
    return Table(
        key="pictures",
        title="Pictures",
        corner="",
        headings=["asked", "drawn", "failed", "blank"],
        lines=[
            entry_line(entry, before, [Cell(f"{count:,}") for count in vars(board.pictures[entry.label]).values()])
            for before, entry in zip([None, *shown], shown, strict=False)
        ],
        notes=["Failed and blank pictures have no part in the means."],
    )


def costs(board: Board) -> Table:
    lines = [
        Line(
            label,
            [
                Cell(duration(cost.seconds)),
                Cell(memory(cost.peak_memory_bytes)),
                Cell(quantity(cost.trained_parameters)),
                Cell(size(cost.result_bytes)),
            ],
        )
        for label, cost in board.costs.items()
    ]
    headings = ["training time", "peak memory", "trained parameters", "size of the result"]
    notes = ["Means over runs."]
    return Table(key="costs", title="Cost of a run", corner="", headings=headings, lines=lines, notes=notes)


def published(board: Board) -> Table:
    over = [column for column in board.columns if any(column.key in each.metrics for each in board.published)]
    lines = []
    for before, each in zip([None, *board.published], board.published, strict=False):
        cells = [_figure(each, column) for column in over]
        verdict = "comparable, as far as the source tells" if not each.against else "not comparable"
        first = before is None or before.claim.source != each.claim.source
        label = each.claim.source if first else ""
        lines.append(
            Line(label, [Cell(each.claim.label), *cells, Cell(verdict)], first and before is not None, aside=True)
        )
    reasons = {
        f"{each.claim.source} is not comparable: {'; '.join(each.against)}.": None
        for each in board.published
        if each.against
    }
    unknown = {
        f"{each.claim.source} leaves open {'; '.join(each.claim.unknown)}.": None
        for each in board.published
        if each.claim.unknown
    }
    return Table(
        key="published",
        title="Published figures",
        corner="source",
        headings=["what", *(column.heading for column in over), "beside ours"],
        lines=lines,
        texts=1,
        notes=[*reasons, *unknown],
    )


def _figure(beside: Beside, column: Column) -> Cell:
    metric = beside.metrics.get(column.key)
    return EMPTY if metric is None else Cell(score(beside.claim.scores[metric]))
