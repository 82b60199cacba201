"""How many examples a test has."""

import os

from hypothesis import settings

USUAL = 40
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", USUAL))


def examples(share: float) -> settings:
    """For tests whose examples take longer than others'."""
    return settings(max_examples=max(1, round(share * EXAMPLES)))
