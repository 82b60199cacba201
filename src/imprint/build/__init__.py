"""From configuration to objects: the only place where parts meet that do not know each other."""

from imprint.build.assemble import assemble
from imprint.build.base_model import place_of
from imprint.build.distilled import Distilled, distilled
from imprint.build.parts import Parts, Plan
from imprint.build.prepare import prepare
from imprint.build.scoring import score_run, scored, scoring_noted
from imprint.build.stacked import Stack, chosen, named_apart, stacked_family
from imprint.build.trained import Trained, method_of, trained_family
from imprint.build.watching import Watcher

__all__ = [
    "Distilled",
    "Parts",
    "Plan",
    "Stack",
    "Trained",
    "Watcher",
    "assemble",
    "chosen",
    "distilled",
    "method_of",
    "named_apart",
    "place_of",
    "prepare",
    "score_run",
    "scored",
    "scoring_noted",
    "stacked_family",
    "trained_family",
]
