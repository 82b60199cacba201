"""Memorisation: how near a picture is to the nearest one that the model was trained on."""

from torch import Tensor

from imprint.evaluation.metrics.likeness import Likeness
from imprint.kinds import of_kind


@of_kind("metric/memorisation")
class Memorisation(Likeness):
    """1 for a copy. To be read beside fidelity, which a copy has too."""

    title = "nearest training photo"
    better = "lower"
    set = "subject"

    def pool(self, cosines_R: Tensor) -> Tensor:
        return cosines_R.max()
