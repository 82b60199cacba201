"""Many trainings from one command: which points there are, how far they are, and what came of them."""

from imprint.composing import Composer
from imprint.launching.grid import run_grid
from imprint.launching.objectives import objective_of, unmeasured
from imprint.launching.telling import foretold

__all__ = ["Composer", "foretold", "objective_of", "run_grid", "unmeasured"]
