"""PRES, prior preservation (DreamBooth, section 4.3)."""

from imprint.evaluation.metrics.likeness import MeanLikeness
from imprint.kinds import of_kind


@of_kind("metric/pres")
class Pres(MeanLikeness):
    """How much random members of the class have come to look like the subject."""

    title = "PRES"
    better = "lower"
    set = "class"
