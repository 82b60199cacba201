"""A list of filters judges pictures: which are kept, with all scores, and why the others are not."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from imprint.errors import UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.fingerprints import fingerprint, settings_of
from imprint.filters.base import Candidate, Context, Filter, Verdicts, by_subject
from imprint.kinds import hashed_class, hashed_settings
from imprint.labelled.row import Row, Score


class Judgement(NamedTuple):
    """The candidates' rows, in their order, with scores; those with reasons are rejected. `problems` are for an error
    that is raised when the rows are written, so that nothing is lost."""

    rows: tuple[Row, ...]
    problems: tuple[str, ...]

    @property
    def kept(self) -> list[Row]:
        return [row for row in self.rows if not row.reasons]

    @property
    def rejected(self) -> list[Row]:
        return [row for row in self.rows if row.reasons]


def check(filters: Mapping[str, Filter], context: Context) -> None:
    """Raises UserError with all that stands in the way of judging, before anything is drawn."""
    if problems := [
        f"filter.{name}: {problem}" for name, filter in filters.items() for problem in filter.problems(context)
    ]:
        raise UserError("\n".join(problems))


def judge(filters: Mapping[str, Filter], candidates: Sequence[Candidate], context: Context) -> Judgement:
    """By all filters, in their order, whatever they say: of each picture there are all scores."""
    found: dict[str, Verdicts] = {}
    problems: list[str] = []
    for name, filter in filters.items() if candidates else ():
        problems += [f"filter.{name}: {shortage}" for shortage in filter.shortages(candidates, found)]
        verdicts = filter.judge(candidates, context, dict(found))
        assert len(verdicts) == len(candidates), name
        found[name] = verdicts
    rows = tuple(_judged(candidate.row, number, found) for number, candidate in enumerate(candidates))
    return Judgement(rows, (*problems, *_emptied(candidates, rows)))


def fingerprints(filters: Mapping[str, Filter], encoders: Mapping[str, Encoder]) -> dict[str, str]:
    """Of each filter: its class, settings and encoders. Verdicts of equal ones about equal photos are equal."""
    return {name: _fingerprint(filter, encoders) for name, filter in filters.items()}


def encoders_of(filters: Mapping[str, Filter], encoders: Mapping[str, Encoder]) -> dict[str, dict[str, str]]:
    """The fingerprints of the encoders that each looks with, by their roles."""
    return {
        name: {role: encoders[role].fingerprint for role in filter.needs.encoders} for name, filter in filters.items()
    }


def _fingerprint(filter: Filter, encoders: Mapping[str, Encoder]) -> str:
    used = encoders_of({"": filter}, encoders)[""]
    return fingerprint([hashed_class(type(filter)), hashed_settings(type(filter), settings_of(filter)), used])


def _judged(row: Row, number: int, found: Mapping[str, Verdicts]) -> Row:
    verdicts = {name: verdicts[number] for name, verdicts in found.items()}
    given = {name: verdict for name, verdict in verdicts.items() if verdict is not None}
    scores = [
        Score(filter=name, value=verdict.value, threshold=verdict.threshold, passed=verdict.passed)
        for name, verdict in given.items()
    ]
    return row.judged(scores, [f"{name}: {verdict.reason}" for name, verdict in given.items() if not verdict.passed])


def _emptied(candidates: Sequence[Candidate], rows: Sequence[Row]) -> Iterator[str]:
    """Subjects of which nothing is left."""
    for subject, numbers in by_subject(candidates).items():
        reasons = [rows[number].reasons for number in numbers]
        if all(reasons):
            by = Counter(reason.partition(":")[0] for each in reasons for reason in each)
            said = ", ".join(f"{count} by {name}" for name, count in by.most_common())
            yield (
                f"{subject}: not one of its {len(numbers)} pictures is kept ({said}). They lie in .rejected/, with "
                "reasons: loosen a filter (filter.NAME...=), or draw better ones."
            )
