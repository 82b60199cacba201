"""Results of runs as one LoRA."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from imprint.build.stacked import changes, chosen
from imprint.errors import UserError
from imprint.families.base import Family
from imprint.methods.extraction import Fit, approximate, exact, not_exact
from imprint.methods.low_rank import LowRank
from imprint.runs import Run


class Distilled(NamedTuple):
    """Updates for the untuned `family`. Words that the results teach are in it."""

    family: Family
    updates: LowRank
    fit: Fit


def distilled(
    runs: Sequence[Run],
    *,
    weights: Sequence[float] | None,
    scale: Mapping[str, float],
    rank: int | None,
    base: str | None = None,
) -> Distilled:
    """The weighted sum of what the runs learned: exactly (null), or the nearest of a rank.

    Raises UserError for what cannot be together, and where there is no exact one.
    """
    source, results = chosen(runs, weights=weights, scale=scale, base=base)
    if rank is None and any(result.method.replaces_weights for result in results):
        raise not_exact()
    if rank is not None and len(results) == 1 and results[0].method.has_ranks:
        results[0].method.choose_rank(rank)  # better than the nearest of the whole: it was trained to be used alone
        rank = None
    facts = source.facts()
    family = source.load()
    weighed = [(change, result.strengths(scale, facts)) for result, change in changes(family, results, source)]
    if not any(change.difference for change, _ in weighed):
        raise UserError("These results changed nothing of the network: no LoRA holds words. Give format=embedding.")
    updates, fit = exact(weighed) if rank is None else approximate(weighed, rank, family.roles)
    return Distilled(family, updates, fit)
