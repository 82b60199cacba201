"""The scores of runs as rows, each of which stands for itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from imprint.reporting.record import RunRecord


class Score(NamedTuple):
    """One metric of one row: `tuned` is the run, `untuned`, `real` and the like are its floors and ceilings.

    Scores may be compared exactly if their fingerprints are equal. The interval (95%) is for other prompts like these.
    """

    run: str
    profile: str
    subject: str
    row: str
    metric: str
    title: str
    mean: float
    low: float | None
    high: float | None
    better: str
    fingerprint: str


def scores_of(records: "Sequence[RunRecord]") -> list[Score]:
    """Of their newest evaluations under each profile."""
    from imprint.reporting.run_scores import scores_of as found_scores

    found = found_scores(records)
    scores = []
    for record in records:
        for sheet in found.sheets[record.folder]:
            for column in (column for column in found.columns if column.of(sheet)):
                facts = sheet.metrics[column.name]
                alone = len(found.sheets_with(record, column)) == 1
                for row, numbers in sheet.rows.items():
                    if column.name in numbers:
                        interval = found.interval(record, column) if alone and row == "tuned" else None
                        scores.append(
                            Score(
                                run=record.name,
                                profile=sheet.profile,
                                subject=sheet.subject,
                                row=row,
                                metric=column.name,
                                title=facts.title,
                                mean=numbers[column.name].mean,
                                low=interval.low if interval else None,
                                high=interval.high if interval else None,
                                better=facts.better,
                                fingerprint=facts.fingerprint,
                            )
                        )
    return scores
