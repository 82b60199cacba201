"""What came of a sweep: in its folder for those who read it later, and for the program that launched it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from imprint.errors import UserError
from imprint.files import write_text
from imprint.launching.best import best_of
from imprint.launching.prospects import Prospect
from imprint.launching.standing import ENDED, Standing, first_line
from imprint.reporting.units import duration, score
from imprint.sweeps import Sweep
from imprint.tables.markdown import code, code_block, markdown, plain
from imprint.tables.table import Cell, Column, Row, Table

Seen = Mapping[str, Standing]


def sum_up(sweep: Sweep, prospects: Sequence[Prospect], seen: Seen) -> None:
    """Writes summary.md."""
    counts = Counter(seen[prospect.name].state for prospect in prospects)
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    lines = [f"# {plain(sweep.name)}", ""]
    if sweep.question:
        lines += [plain(sweep.question), ""]
    lines += [code_block("\n".join(sweep.commands)), "", f"{len(prospects)} points: {states}.", ""]
    if best := best_of(prospects, seen):
        lines += [f"Best by {plain(str(best))}", ""]
    lines += [markdown(_table(prospects, seen)), *_reasons(prospects, seen)]
    write_text(sweep.summary, "\n".join(lines) + "\n")


def failures(prospects: Sequence[Prospect], seen: Seen, reasons: Mapping[str, str]) -> UserError | None:
    """What the program ends with, if a point did not end well. `reasons` are what the launcher heard, by name;
    what lies in a point's folder comes first."""
    bad = [prospect for prospect in prospects if seen[prospect.name].state != "done"]
    if not bad:
        return None
    title = f"{len(bad)} of {len(prospects)} points did not finish; the same command tries them again:"
    return UserError("\n".join([title, *(f"  - {_failure(prospect, seen, reasons)}" for prospect in bad)]))


def _failure(prospect: Prospect, seen: Seen, reasons: Mapping[str, str]) -> str:
    reason = seen[prospect.name].reason or reasons.get(prospect.name, "")
    where = prospect.run.error if prospect.run.error.is_file() else prospect.run.scoring_error
    more = f" ({where})" if where.is_file() else ""
    return f"{prospect.told}: {first_line(reason)}{more}"


def _table(prospects: Sequence[Prospect], seen: Seen) -> Table:
    metrics = list(dict.fromkeys(name for prospect in prospects for name in seen[prospect.name].means))
    return Table(
        columns=[
            Column("point", kind="code"),
            Column("state", kind="text"),
            Column("training", duration),
            *(Column(name, score) for name in metrics),
            Column("run", kind="text"),
        ],
        rows=[
            Row(
                [
                    Cell(prospect.told),
                    Cell(state),
                    Cell(seconds),
                    *map(Cell, map(means.get, metrics)),
                    Cell(prospect.name),
                ]
            )
            for prospect in prospects
            for state, _, means, seconds, _ in [seen[prospect.name]]
        ],
    )


def _reasons(prospects: Sequence[Prospect], seen: Seen) -> Iterator[str]:
    for prospect in prospects:
        standing = seen[prospect.name]
        if standing.state in ENDED and standing.reason:
            yield from ["", f"{code(prospect.told)} failed:", "", code_block(standing.reason.strip())]
