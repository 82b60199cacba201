"""Many trainings from one command: which points there are, how far they are, and what came of them."""

from imprint.composing import Composer
from imprint.launching.launch import run_grid
from imprint.launching.plan import asked
from imprint.launching.plan_text import foretold

__all__ = ["Composer", "asked", "foretold", "run_grid"]
