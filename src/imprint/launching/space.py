"""What a search may choose from, as the command says it in Hydra's words."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

Space = dict[str, BaseDistribution]


def space_of(given: Sequence[Override]) -> Space:
    """By key. Choices (a,b) have no order, ranges and intervals do; `tag(log, ...)` is by powers."""
    return {override.get_key_element(): _distribution(override) for override in given if override.is_sweep_override()}


def one_of(space: Space) -> list[str]:
    """Some point of it, as overrides."""
    return [f"{key}={_lowest(chosen)}" for key, chosen in space.items()]


def described(space: Space) -> Iterator[str]:
    for key, chosen in space.items():
        if isinstance(chosen, CategoricalDistribution):
            yield f"{key}: {', '.join(str(choice) for choice in chosen.choices)}"
        elif isinstance(chosen, FloatDistribution | IntDistribution):
            how = ", by powers" if chosen.log else f", in steps of {chosen.step}" if chosen.step else ""
            yield f"{key}: {chosen.low} to {chosen.high}{how}"


def _distribution(override: Override) -> BaseDistribution:
    value = override.value()
    if isinstance(value, IntervalSweep):
        low, high, log = value.start, value.end, "log" in value.tags
        assert low is not None
        assert high is not None
        if isinstance(low, int) and isinstance(high, int):
            return IntDistribution(low, high, log=log)
        return FloatDistribution(float(low), float(high), log=log)
    if isinstance(value, RangeSweep) and not value.shuffle:
        count = len(list(override.sweep_iterator()))
        if count > 1 and value.step > 0:
            return _in_steps(value, count)
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _in_steps(value: RangeSweep, count: int) -> BaseDistribution:
    low, step = Decimal(str(value.start)), Decimal(str(value.step))
    high = low + (count - 1) * step  # the end that the command names is not among them
    if isinstance(value.start, int) and isinstance(value.step, int):
        return IntDistribution(int(low), int(high), step=int(step))
    return FloatDistribution(float(low), float(high), step=float(step))


def _lowest(chosen: BaseDistribution) -> object:
    if isinstance(chosen, CategoricalDistribution):
        return chosen.choices[0]
    assert isinstance(chosen, FloatDistribution | IntDistribution)
    return chosen.low
