"""FID (Heusel et al. 2017), over an encoder of ours."""

from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance

from imprint.errors import UserError
from imprint.evaluation.metrics.class_fidelity import ClassFidelity, Given
from imprint.kinds import of_kind


@of_kind("metric/fid")
class Fid(ClassFidelity):
    """The Frechet distance of two Gaussians fitted to the features.

    Fewer pictures than features do not determine a covariance; it is refused then, for the number would mostly tell
    how few there are. KID has no such bias.
    """

    title = "FID (encoder features, not Inception)"
    better = "lower"

    def distance(self, real_ND: Tensor, drawn_ND: Tensor, whose: str) -> float:
        features = real_ND.shape[1]
        if min(len(real_ND), len(drawn_ND)) <= features:
            raise UserError(
                f"{whose}: with {features} features, more than {features} pictures of the class of both kinds are "
                f"needed, and there are {len(drawn_ND)} drawn and {len(real_ND)} to compare with. "
                "Ask for more, or use KID."
            )
        fid = FrechetInceptionDistance(feature=Given(features))
        fid.update(real_ND, real=True)
        fid.update(drawn_ND, real=False)
        return float(fid.compute().clamp(min=0))  # rounding alone makes it negative
