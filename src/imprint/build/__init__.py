"""From configuration to objects: the only place where parts meet that do not know each other."""

from imprint.build.assemble import assemble
from imprint.build.parts import Parts, Plan
from imprint.build.prepare import prepare
from imprint.build.trained import Trained, trained_family

__all__ = ["Parts", "Plan", "Trained", "assemble", "prepare", "trained_family"]
