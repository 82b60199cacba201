"""From single numbers to one."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from imprint.evaluation.profile import Averaging
from imprint.evaluation.records import Value
from imprint.evaluation.sheet import Scored


def scored(values: Sequence[Value], averaging: Averaging, categories: Mapping[tuple[str, int], str]) -> Scored:
    """`categories` names the category of a (set, number). A metric that is only defined for the whole subject has no
    finer numbers, and so no categories."""
    assert values
    fine = [value for value in values if value.number is not None]
    by_category: dict[str, list[Value]] = {}
    for value in fine:
        assert value.number is not None
        if category := categories.get((value.set, value.number)):
            by_category.setdefault(category, []).append(value)
    return Scored(
        mean=average(fine or values, averaging),
        by_category={category: average(members, averaging) for category, members in by_category.items()},
        values=list(values),
    )


def average(values: Iterable[Value], averaging: Averaging) -> float:
    """macro: the mean of the prompts' means; pairs: of all numbers alike."""
    prompts: dict[tuple[str, int | None], list[float]] = {}
    for value in values:
        prompts.setdefault((value.set, value.number), []).append(value.value)
    if averaging == "macro":
        return fmean(fmean(numbers) for numbers in prompts.values())
    return fmean(number for numbers in prompts.values() for number in numbers)
