"""Results of runs as one LoRA."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from imprint.errors import UserError
from imprint.methods.extraction import Fit, approximate, exact, not_exact
from imprint.methods.low_rank import LowRank
from imprint.models.base import Model
from imprint.results.combine import changes, chosen
from imprint.runs import Run


class AsLora(NamedTuple):
    """Updates for the untuned `model`. Words that the results teach are in it."""

    model: Model
    updates: LowRank
    fit: Fit


def as_lora(
    runs: Sequence[Run],
    *,
    weights: Sequence[float] | None,
    scale: Mapping[str, float],
    rank: int | None,
    base: str | None = None,
) -> AsLora:
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
    model = source.load()
    weighed = [(change, result.strengths(scale, facts)) for result, change in changes(model, results, source)]
    if not any(change.difference for change, _ in weighed):
        raise UserError("These results changed nothing of the network: no LoRA holds words. Give format=embedding.")
    updates, fit = exact(weighed) if rank is None else approximate(weighed, rank, model.roles)
    return AsLora(model, updates, fit)
