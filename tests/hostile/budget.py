"""How many examples a test has."""

import os

from hypothesis import Phase, settings

USUAL = 40
EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", USUAL))


def examples(share: float, *, shrinks: bool = True) -> settings:
    """For tests whose examples take longer than others', or so long that what fails is not made smaller."""
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink, Phase.explain] if shrinks else [])]
    return settings(max_examples=max(1, round(share * EXAMPLES)), phases=phases)
