"""What a search may choose from, as the command says it in Hydra's words."""

from collections.abc import Iterator, Sequence

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
        steps = [step for step in override.sweep_iterator() if isinstance(step, int | float)]
        if len(steps) > 1 and steps[0] < steps[-1]:
            return _in_steps(steps)
    return CategoricalDistribution(list(override.sweep_string_iterator()))


def _in_steps(steps: Sequence[float]) -> BaseDistribution:
    if all(isinstance(step, int) for step in steps):
        return IntDistribution(int(steps[0]), int(steps[-1]), step=int(steps[1] - steps[0]))
    return FloatDistribution(float(steps[0]), float(steps[-1]), step=float(steps[1] - steps[0]))


def _lowest(chosen: BaseDistribution) -> object:
    if isinstance(chosen, CategoricalDistribution):
        return chosen.choices[0]
    assert isinstance(chosen, FloatDistribution | IntDistribution)
    return chosen.low
