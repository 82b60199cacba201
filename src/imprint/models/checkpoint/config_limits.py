"""What configurations of networks and schedulers may ask for. One number in a small file can ask for a network that
takes hours to set up, even without weights."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

LARGEST = 1 << 24  # of whole numbers: sizes, indices of tokens
LONGEST = 10_000  # of lists; schedules have 1,000 entries
STEPS = 100_000  # of noise, which usually has 1,000
LAYERS = 5_000  # of one network; large ones have some hundreds
FREQUENCY = "theta"  # how a key ends whose number only divides: Mistral's positions have a billion


def excess(config: Mapping[str, Any]) -> str | None:
    """What no network has and this configuration asks for, if anything."""
    layers, longest = 1, 1
    for key, value in config.items():
        numbers = list(_whole_numbers({key: value}))
        limit = STEPS if key.endswith("timesteps") else LARGEST
        if any(abs(number) > limit for number in numbers):
            return f"{key} is too large"
        if isinstance(value, list) and len(value) > LONGEST:
            return f"{key} has too many values"
        if "channels" in key and isinstance(value, list):
            longest = max(longest, len(value))
        if "layers" in key:
            layers *= max([1, *numbers])
    return "it has too many layers" if layers * longest > LAYERS else None


def _whole_numbers(value: Any) -> Iterator[int]:
    """Those in it, however deep, up to one more than a list may have."""
    waiting, found = [value], 0
    while waiting and found <= LONGEST:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            waiting += (own for name, own in item.items() if not str(name).endswith(FREQUENCY))
        elif isinstance(item, int) or (isinstance(item, float) and math.isfinite(item) and item.is_integer()):
            found += 1
            yield int(item)
