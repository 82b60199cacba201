"""What the scores of a page come to, in the words that its intervals allow."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from imprint.evaluation.statistics.intervals import CONFIDENCE
from imprint.reporting.scoreboard import Board
from imprint.reporting.scoreboard.board import ALL
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.leading import FLOOR
from imprint.reporting.scoreboard.pairing import paired
from imprint.reporting.scoreboard.scores import floor_of, forest
from imprint.reporting.units import score

Side = Literal["ahead", "behind", "alike", "unknown"]
SIDES: tuple[Side, ...] = ("ahead", "behind", "alike")
USUAL = ("dino", "clip_t")  # subject fidelity, prompt fidelity
MOST_NAMED = 3  # contestants in a sentence; of more, their number is told


class Words(NamedTuple):
    """How the order of two contestants by a metric is said."""

    best: str
    ahead: str  # than the other
    behind: str
    by: str  # in which respect two are alike


SUBJECT = Words(
    "nearest to the subject", "nearer to the subject", "further from the subject", "likeness to the subject"
)
PROMPT = Words(
    "closest to its prompts", "closer to its prompts", "further from its prompts", "how well prompts are followed"
)
WORDS = {"dino": SUBJECT, "clip_i": SUBJECT, "clip_t": PROMPT}


def verdict(board: Board, objectives: Sequence[str], *, draws: int, seed: int) -> list[str]:
    """A sentence for each of two metrics: those that the author of a sweep named, else likeness to the subject and to
    the prompt. Nobody is called better for a difference within its interval."""
    chosen = deciding(board.columns, objectives)
    return [sentence for column in chosen for sentence in _sentences(board, column, draws, seed)]


def deciding(columns: Sequence[ScoreColumn], objectives: Sequence[str]) -> list[ScoreColumn]:
    """The two columns that a page is read for."""
    known = {column.name: column for column in reversed(columns) if column.facts.better != "neither"}
    return [known[name] for name in dict.fromkeys([*objectives, *USUAL]) if name in known][:2]


def _sentences(board: Board, column: ScoreColumn, draws: int, seed: int) -> Iterator[str]:
    own = [entry.label for entry in board.contestants if board.score(entry.label, column.key)]
    if not own:
        return
    words = _words(column)
    sides = _sides(board, column, draws, seed)
    leader = board.leaders.get((ALL, column.key))
    ahead, behind, alike = ([label for label in own if sides[label] == side] for side in SIDES)
    told = [leader.name] if leader else own  # whose numbers the sentence gives: those that it speaks of
    if leader and leader.is_best:
        first = f"{leader.name} is {words.best}"
        others = [
            *_ahead([label for label in ahead if label != leader.name], own, words),
            *_beside(behind, alike, own, words),
        ]
    elif ahead:
        told = ahead
        first = f"{_named(ahead, own)} {_are(ahead)} {words.ahead} than {FLOOR}"
        others = _beside(behind, alike, own, words)
        if leader and len(ahead) > 1:
            others.append(f"which of them is {words.best} cannot be told")
        elif leader and leader.alike != FLOOR:
            others.append(f"{leader.alike} is not told apart from {leader.name}")
    elif behind:
        told = behind
        first = f"{_named(behind, own)} {_are(behind)} {words.behind} than {FLOOR}"
        others = _beside([], alike, own, words)
    elif alike:
        told = own
        first = f"{'none' if len(own) > 1 else own[0]} is {'' if len(own) > 1 else 'not '}told apart from {FLOOR}"
        first, others = f"{first} by {words.by}", []
    elif leader:
        first = f"{leader.name} has the {leader.word.lower()} {column.title}, but is not told apart from {leader.alike}"
        others = []
    else:
        return
    yield f"{first[:1].upper()}{first[1:]} ({_numbers(board, column, told)}){''.join(f'; {part}' for part in others)}."


def _sides(board: Board, column: ScoreColumn, draws: int, seed: int) -> dict[str, Side]:
    """Of each contestant, against the untuned model that its runs began with. The intervals are wider the more
    contestants there are: among many, one is ahead by luck."""
    tested = {entry.label: (forest(entry, column), floor_of(entry, column)) for entry in board.contestants}
    confidence = 1 - (1 - CONFIDENCE) / max(1, sum(bool(floor) for _, floor in tested.values()))
    found: dict[str, Side] = {}
    for label, (own, floor) in tested.items():
        pairs = paired(own, floor, column.averaging) if own and floor else None
        interval = pairs.interval(draws=draws, seed=seed, confidence=confidence) if pairs else None
        if pairs is None or interval is None:
            found[label] = "unknown"
        elif not interval.excludes_zero:
            found[label] = "alike"
        else:
            is_better = (pairs.differences.mean() > 0) == (column.facts.better == "higher")
            found[label] = "ahead" if is_better else "behind"
    return found


def _words(column: ScoreColumn) -> Words:
    return WORDS.get(
        column.name,
        Words(f"best by {column.title}", f"better by {column.title}", f"worse by {column.title}", column.title),
    )


def _numbers(board: Board, column: ScoreColumn, labels: Sequence[str]) -> str:
    """`DINO 0.612; the untuned model 0.431`, and of several contestants `DINO 0.516 to 0.612`."""
    found = sorted(one.mean for label in labels if (one := board.score(label, column.key)))
    floors = [board.score(entry.label, column.key) for entry in board.entries if entry.row == "untuned"][:1]
    own = " to ".join(dict.fromkeys(score(mean) for mean in (found[0], found[-1])))
    return "; ".join([f"{column.title} {own}", *(f"{FLOOR} {score(floor.mean)}" for floor in floors if floor)])


def _ahead(labels: Sequence[str], among: Sequence[str], words: Words) -> Iterator[str]:
    if len(labels) > 1 and len(labels) == len(among) - 1:
        yield f"all others are {words.ahead} than {FLOOR}, too"
    elif labels:
        yield f"{_named(labels, among)} {_are(labels)} {words.ahead} than {FLOOR}, too"


def _beside(behind: Sequence[str], alike: Sequence[str], among: Sequence[str], words: Words) -> list[str]:
    parts = [f"{_named(behind, among)} {_are(behind)} {words.behind} than {FLOOR}"] if behind else []
    if len(alike) > 1 and not behind:
        parts.append(f"nothing else is told apart from {FLOOR}")
    elif alike:
        parts.append(f"{_named(alike, among)} {_are(alike)} not told apart from {FLOOR}")
    return parts


def _named(labels: Sequence[str], among: Sequence[str]) -> str:
    if len(labels) == len(among) > 2:
        return f"all {len(labels)}"
    if len(labels) > MOST_NAMED:
        return f"{len(labels)} of {len(among)}"
    *first, last = labels
    return f"{', '.join(first)} and {last}" if first else last


def _are(labels: Sequence[str]) -> str:
    return "is" if len(labels) == 1 else "are"
