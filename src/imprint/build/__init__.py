"""From configuration to objects: the only place where parts meet that do not know each other."""

from imprint.build.assemble import assemble
from imprint.build.base_model import place_of
from imprint.build.distilled import Distilled, distilled
from imprint.build.parts import Parts, Plan, Prepared
from imprint.build.prepare import prepare, with_reporting
from imprint.build.scoring import means_of, objective_of, score_run, scored, scoring_noted, sheets_of
from imprint.build.stacked import Stack, chosen, named_apart, stacked_family
from imprint.build.trained import Trained, method_of, trained_family
from imprint.build.watching import Watcher

__all__ = [
    "Distilled",
    "Parts",
    "Plan",
    "Prepared",
    "Stack",
    "Trained",
    "Watcher",
    "assemble",
    "chosen",
    "distilled",
    "means_of",
    "method_of",
    "named_apart",
    "objective_of",
    "place_of",
    "prepare",
    "score_run",
    "scored",
    "scoring_noted",
    "sheets_of",
    "stacked_family",
    "trained_family",
    "with_reporting",
]
