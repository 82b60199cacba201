"""Published figures, and whether a measured column may be read beside them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from imprint.evaluation.published import Claim, claims
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.grouping import Entry


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    claim: Claim
    metrics: Mapping[str, str]  # column key -> metric, where the claim has a figure
    reasons: Sequence[str]  # why the numbers are not comparable; empty: they are, as far as the source tells


def published_rows(entries: Sequence[Entry], columns: Sequence[ScoreColumn]) -> list[PublishedRow]:
    """The published rows of the profiles that these columns were measured under."""
    found = []
    for claim in claims():
        of_source = {name for other in claims() if other.source == claim.source for name in other.scores}
        ours = [column for column in columns if column.profile == claim.profile and column.name in of_source]
        if metrics := {column.key: column.name for column in ours if column.name in claim.scores}:
            found.append(PublishedRow(claim=claim, metrics=metrics, reasons=list(_reasons(claim, entries, ours))))
    return found


def _reasons(claim: Claim, entries: Sequence[Entry], columns: Sequence[ScoreColumn]) -> Iterator[str]:
    for column in columns:
        ours = column.facts.encoder_names
        theirs = claim.encoders.get(column.name)
        if theirs is None:
            yield f"the encoder of their {column.facts.title} is not known"
        elif ours != theirs:
            yield f"{column.facts.title} is measured by {ours or 'nothing'} here and by {theirs} there"
    contestants = [entry for entry in entries if entry.role == "contestant"]
    if claim.subjects is None:
        yield f"other subjects ({claim.data})"
    elif any({sheet.subject for sheet in entry.sheets} != set(claim.subjects) for entry in contestants):
        yield f"other subjects than the {len(claim.subjects)} of theirs"
    counts = {count for entry in contestants for count in _pictures(entry, columns)}
    if claim.pictures is not None and counts - {claim.pictures}:
        ours = " or ".join(map(str, sorted(counts)))
        yield f"{claim.pictures} pictures of each subject there, {ours} here"


def _pictures(entry: Entry, columns: Sequence[ScoreColumn]) -> Iterator[int]:
    """How many pictures of a subject were asked for, by the metrics that judge each on its own."""
    for sheet in entry.sheets:
        for column in columns:
            values = sheet.rows[entry.row][column.name].values if column.of(sheet) else []
            last = max((value.k for value in values if value.k is not None), default=-1)
            if last >= 0:
                yield len({(value.set, value.number) for value in values}) * (last + 1)
