"""What is said below the tables of means and of pairs: what intervals cover, why a number is bold or marked."""

from collections.abc import Iterator

from imprint.reporting.scoreboard.board import Board

PARTIAL = "\N{DAGGER}"


def notes_of_means(board: Board, kind: str) -> Iterator[str]:
    shown = [each for each in board.scores if each.kind == kind and each.subject is None and each.category is None]
    yield from _covered(board, kind)
    yield from _bold(board, kind)
    if not all(map(board.is_whole, shown)):
        yield f"{PARTIAL} not over all subjects and prompts, and not to be compared with the others."


def notes_of_comparisons(board: Board) -> Iterator[str]:
    covers = dict.fromkeys(each.interval.covers for each in board.comparisons if each.interval)
    if covers:
        yield f"In brackets: 95% intervals of the mean difference. They cover {'; or '.join(covers)}."
    if any(each.lost for each in board.comparisons):
        yield (
            f"{PARTIAL} without the prompts of a subject that one of the two has no number of: the difference is of "
            "what both have, and not that of the means above."
        )
    families = "; all: of all metrics." if len({each.column for each in board.comparisons}) > 1 else "."
    yield (
        "p: sign-flip permutation test of the paired differences, two-sided, with these prompts. Exact if without an "
        "effect either method could have been the other; as a test of the mean alone it rejects too often where "
        f"differences are skewed. Holm: corrected for all pairs of the metric{families}"
    )


def _covered(board: Board, kind: str) -> Iterator[str]:
    """Usually all intervals cover the same; but photos have no prompts, and an entry may have fewer subjects."""
    entries: dict[str, list[str]] = {}
    for each in board.scores:
        if each.interval and each.kind == kind:
            entries.setdefault(each.interval.covers, []).append(each.entry)
    most = sorted(entries, key=lambda covers: -len(entries[covers]))
    if most:
        yield f"In brackets: 95% intervals. They cover {most[0]}."
    for covers in most[1:]:
        yield f"Those of {', '.join(dict.fromkeys(entries[covers]))} cover {covers}."


def _bold(board: Board, kind: str) -> Iterator[str]:
    leaders = {column.title: found for column in board.columns if (found := board.leaders.get((kind, column.key)))}
    if any(found.is_best for found in leaders.values()):
        yield "Bold: ahead of each other contestant and of the untuned model by more than the difference's interval."
    short = [
        f"{title} ({found.name} leads, not beyond {found.alike})"
        for title, found in leaders.items()
        if not found.is_best
    ]
    if short:
        yield f"Nothing is bold in {', '.join(short)}."
