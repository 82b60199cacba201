"""Models whose guidance is added to the prompt's own prediction, so that 0 is none, and 1 is not."""

from torch import Tensor

from imprint.models.pipeline import PipelineModel


class AddedGuidance(PipelineModel):
    def draws_twice(self, guidance: float) -> bool:
        return guidance > 0

    def guided(self, positive_BCHW: Tensor, negative_BCHW: Tensor, guidance: float) -> Tensor:
        """From the positive prompt's prediction, away from the negative one's."""
        return positive_BCHW + guidance * (positive_BCHW - negative_BCHW)
