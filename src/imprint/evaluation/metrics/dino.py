"""DINO (DreamBooth, section 4.2)."""

from imprint.evaluation.metrics.likeness import MeanLikeness
from imprint.kinds import of_kind


@of_kind("metric/dino")
class Dino(MeanLikeness):
    """Subject fidelity by an encoder that was not trained to overlook what tells members of a class apart."""

    title = "DINO"
    better = "higher"
    set = "subject"
