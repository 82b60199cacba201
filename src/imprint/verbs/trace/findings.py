"""What `imprint trace` shows: the marks, and the seeds."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from imprint.provenance.base import result_hash
from imprint.provenance.credentials import EXTRA
from imprint.provenance.marks import Marks
from imprint.runs import Run
from imprint.tables.table import Cell, Column, Row, Table

NOT_MARKED = (
    "There is no mark in it, which proves nothing: marks are lost when a picture is edited, saved anew or uploaded, "
    "and anybody can remove them."
)
ANYBODY = "Anybody can write such metadata: it tells what the file says, and proves nothing."
FOUND = (
    "Found: the picture began as the noise of this seed. Whoever draws with this seed, with this program or another "
    "that takes its noise from PyTorch's generator on the CPU, begins with the same noise."
)
NOT_FOUND = (
    "Not found proves nothing: not every picture of a run is found, fewer after cropping or editing, and none that was "
    "drawn with another seed, in another size, or by a sampler that adds noise in its steps."
)


class Match(NamedTuple):
    """The most similar candidate. `p` is the probability that the best of so many, none of which it was, is as similar
    by chance."""

    seed: int
    mirrored: bool
    r: float
    p: float


class Finding(NamedTuple):
    """The most similar seed of a run; `found` where it is no matter of chance."""

    run: Run
    match: Match
    found: bool


def marks_table(marks: Marks, runs: Sequence[Run]) -> Table:
    """`runs` are those whose results the hashes in the marks are compared with."""
    rows = [Row([Cell(name), Cell(text)]) for name, text in _said(marks, runs)]
    signed = marks.credentials is not None and marks.credentials.state in ("Valid", "Trusted")
    notes = [ANYBODY] if rows and not signed else [] if rows else [NOT_MARKED]
    if marks.credentials and marks.credentials.state == "unread":
        notes.append(f"To verify the manifest, install {EXTRA}.")
    return Table(columns=_texts("mark", "says"), rows=rows, title="Marks", notes=notes)


def found_table(findings: Sequence[Finding]) -> Table:
    rows = [
        Row(
            [
                Cell(finding.run.folder.name),
                Cell("found" if finding.found else "not found"),
                Cell(str(finding.match.seed)),
                Cell(finding.match.r),
                Cell(finding.match.p),
                Cell("mirrored" if finding.match.mirrored else ""),
            ]
        )
        for finding in findings
    ]
    columns = [
        *_texts("run", ""),
        Column("most similar seed"),
        Column("r", "{:.3f}".format),
        Column("chance", "{:.1e}".format),
        *_texts(" "),
    ]
    told = {finding.found for finding in findings}
    notes = [text for found, text in ((True, FOUND), (False, NOT_FOUND)) if found in told]
    return Table(columns=columns, rows=rows, title="Seeds", notes=notes)


def _said(marks: Marks, runs: Sequence[Run]) -> Iterator[tuple[str, str]]:
    if marks.source_types:
        yield "source", ", ".join(marks.source_types)
    if marks.mining:
        yield "mining and training", ", ".join(marks.mining)
    if marks.software:
        yield "program", ", ".join(marks.software)
    if marks.bases:
        yield "base model", ", ".join(marks.bases)
    own = {result_hash(run.result): run.folder.name for run in runs} if marks.results else {}
    for result in marks.results:
        yield "result", f"{result}{f' (of {own[result]})' if result in own else ''}"
    for parent in marks.parents:
        yield "parts of the photo", parent
    if signed := marks.credentials:
        problems = f" ({', '.join(signed.problems)})" if signed.problems else ""
        yield "C2PA manifest", f"{signed.state}{problems}"
        if signed.signer:
            yield "signed by", signed.signer


def _texts(*headings: str) -> list[Column]:
    return [Column(heading, kind="text") for heading in headings]
