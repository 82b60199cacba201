"""peft's settings for single layers: by regular expressions for how their names end, which files of others hold.

Some expressions take years to fail. Those that are read here hold at most a few repetitions and choices, none inside of
another one, so that the ways to try them stay few.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

MOST = 10_000  # patterns: more than any model has layers
LONGEST = 300  # characters of one
REPETITIONS, CHOICES = 2, 6  # in one pattern
FIXED = re.compile(r"\\.|\[[^\]]*\]", re.DOTALL)  # characters and sets of characters, which match in one way
REPEATED_GROUP = re.compile(r"\)[*+{]")


def check_patterns(patterns: Collection[str]) -> None:
    """Raises ValueError for what is no pattern, or none that can be tried soon."""
    if len(patterns) > MOST:
        raise ValueError(f"more than {MOST} patterns")
    for pattern in patterns:
        _compiled(pattern)


def matching(patterns: Mapping[str, float], names: Iterable[str], usual: float) -> float:
    """As peft chooses: the first pattern that one of the layer's names ends with counts."""
    names = list(names)
    return next((value for pattern, value in patterns.items() if any(map(_compiled(pattern).match, names))), usual)


@lru_cache(maxsize=MOST)
def _compiled(pattern: str) -> re.Pattern[str]:
    rest = FIXED.sub("x", pattern)
    repetitions, choices = len(re.findall(r"[*+{]", rest)), len(re.findall(r"[?|(]", rest))
    if len(pattern) > LONGEST or repetitions > REPETITIONS or choices > CHOICES or REPEATED_GROUP.search(rest):
        raise ValueError("too many ways to match")
    try:
        return re.compile(rf"(.*\.)?({pattern})$")
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError("no regular expression") from error
