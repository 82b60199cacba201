"""Who may be called the best. Every table, page, summary and tracker asks here, so that none of them praises noise.

The best of a column is ahead of each other contestant, and of the untuned model, by more than the difference's
interval. Of several that cannot be told apart none is: their order is that of one draw of subjects, prompts and noise.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from imprint.evaluation.statistics.comparing import Better
from imprint.evaluation.statistics.nesting import average
from imprint.reporting.scoreboard.columns import ScoreColumn
from imprint.reporting.scoreboard.grouping import Entry
from imprint.reporting.scoreboard.pairing import paired
from imprint.reporting.scoreboard.scores import Asked, Forest, as_tree, floor_of, lost

FLOOR = "the untuned model"
NOT_BEST = "not told apart from all others and the untuned model"


@dataclass(frozen=True, kw_only=True)
class Leader:
    """The one with the highest (or lowest) mean, and whether it is more than that."""

    name: str
    mean: float
    rivals: int  # the other contestants
    better: Better
    alike: str  # the first that it cannot be told from; empty: it is the best

    @property
    def is_best(self) -> bool:
        return not self.alike

    @property
    def word(self) -> str:
        return "Best" if self.is_best else "Highest" if self.better == "higher" else "Lowest"


def leader(
    contestants: Mapping[str, Forest],
    floors: Mapping[str, Forest],
    column: ScoreColumn,
    *,
    whole: Collection[str] | None = None,
    draws: int,
    seed: int,
) -> Leader | None:
    """`floors` has what the untuned model of a contestant scored, by the contestant's name. Only those in `whole` can
    lead: others were not scored on everything (None: all can).

    None where there is no contest: of fewer than two, in a metric without a better end, or with fewer than two numbers
    to compare.
    """
    direction = column.facts.better
    known = {name: forest for name, forest in contestants.items() if forest}
    means = {name: average(as_tree(forest.values()), column.averaging) for name, forest in known.items()}
    fit = {name: mean for name, mean in means.items() if whole is None or name in whole}
    if direction == "neither" or len(known) < 2 or not fit:
        return None
    best = column.best(list(fit.values()))
    first = next(name for name, mean in fit.items() if mean == best)
    by_nearness = sorted((name for name in known if name != first), key=lambda name: abs(means[name] - means[first]))
    against = {name: known[name] for name in by_nearness}
    if floor := floors.get(first):
        against[FLOOR] = floor
    alike = next(_not_beaten(known[first], against, column, draws, seed), "")
    return Leader(name=first, mean=means[first], rivals=len(by_nearness), better=direction, alike=alike)


def leader_on(
    subjects: Sequence[str],
    contestants: Sequence[Entry],
    column: ScoreColumn,
    forests: Mapping[str, Forest],
    asked: Asked,
    *,
    draws: int,
    seed: int,
) -> Leader | None:
    """Among the entries of a scoreboard, on these subjects."""

    def on_these(forest: Forest) -> Forest:
        return {subject: forest[subject] for subject in subjects if subject in forest}

    own = {entry.label: on_these(forests[entry.label]) for entry in contestants}
    whole = {label for label, trees in own.items() if len(trees) == len(subjects) and not lost(trees, asked)}
    floors = {entry.label: on_these(floor_of(entry, column)) for entry in contestants if entry.label in whole}
    return leader(own, floors, column, whole=whole, draws=draws, seed=seed)


def _not_beaten(
    first: Forest, others: Mapping[str, Forest], column: ScoreColumn, draws: int, seed: int
) -> Iterator[str]:
    """The names of those that are not worse by more than the difference's interval."""
    for name, forest in others.items():
        pairs = paired(first, forest, column.averaging)
        interval = pairs.interval(draws=draws, seed=seed)
        is_ahead = (pairs.differences.mean() > 0) == (column.facts.better == "higher") if interval else False
        if not (interval and interval.excludes_zero and is_ahead):
            yield name
