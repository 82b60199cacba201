"""CLIP-I (DreamBooth, section 4.2)."""

from imprint.evaluation.metrics.likeness import MeanLikeness
from imprint.kinds import of_kind


@of_kind("metric/clip_i")
class ClipI(MeanLikeness):
    """Subject fidelity: the mean cosine of a picture with the real ones, by CLIP."""

    title = "CLIP-I"
    better = "higher"
    set = "subject"
