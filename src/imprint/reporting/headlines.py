"""What a page comes to, in three lines: who is best by the two metrics that count, and at what price."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from imprint.reporting.record import RunRecord
from imprint.reporting.run_scores import RunScores
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.units import duration, score, size

USUAL = ("dino", "clip_t")  # likeness to the subject, fidelity to the prompt
ROWS = {"untuned": "the untuned model", "real": "real photos"}  # that numbers are read against


def headlines(
    records: Sequence[RunRecord], scores: RunScores, names: Mapping[str, str], *, objectives: Sequence[str] = ()
) -> list[str]:
    """Nothing of what was not measured; nothing at all of a single run, or of several subjects: the best would be the
    easiest one."""
    if len(records) < 2 or len(scores.subjects) != 1:
        return []
    wanted = [*objectives, *USUAL]
    columns = {column.name: column for column in reversed(scores.columns) if column.facts.better != "neither"}
    chosen = [columns[name] for name in dict.fromkeys(wanted) if name in columns][:2]
    return [*_best(records, scores, names, chosen), *_price(records, names)]


def _best(
    records: Sequence[RunRecord], scores: RunScores, names: Mapping[str, str], columns: Sequence[Column]
) -> Iterator[str]:
    for column in columns:
        means = {record.name: mean for record in records if (mean := scores.mean(record, column)) is not None}
        if len(means) < 2:
            continue
        best = (max if column.facts.better == "higher" else min)(means, key=lambda name: means[name])
        beside = ", ".join(_beside(scores, column))
        yield f"Best {column.title}: {names[best]}, {score(means[best])}{f' ({beside})' if beside else ''}."


def _beside(scores: RunScores, column: Column) -> Iterator[str]:
    sheets = [sheet for own in scores.sheets.values() for sheet in own if column.of(sheet)]
    for row, words in ROWS.items():
        found = [sheet.rows[row][column.name].mean for sheet in sheets if column.name in sheet.rows.get(row, {})]
        if found:
            yield f"{words} {score(fmean(found))}"


def _price(records: Sequence[RunRecord], names: Mapping[str, str]) -> Iterator[str]:
    took = {record.name: record.cost for record in records if record.cost.seconds is not None}
    if len(took) < 2:
        return
    quickest, slowest = (choose(took, key=lambda name: took[name].seconds or 0.0) for choose in (min, max))
    weight = took[quickest].result_bytes
    yield (
        f"Quickest: {names[quickest]}, {duration(took[quickest].seconds)}{f' and {size(weight)}' if weight else ''}; "
        f"slowest: {names[slowest]}, {duration(took[slowest].seconds)}."
    )
