"""KID (Binkowski et al. 2018), over an encoder of ours."""

import warnings

import torch
from pydantic import PositiveInt
from torch import Tensor
from torchmetrics.image.kid import KernelInceptionDistance

from imprint.errors import UserError
from imprint.evaluation.metrics.class_fidelity import Against, ClassFidelity, Given
from imprint.kinds import of_kind
from imprint.rng import seed_of


@of_kind("metric/kid")
class Kid(ClassFidelity):
    """The unbiased squared distance of means under a cubic kernel, averaged over random subsets: always the same ones.

    It can be a little below zero. Needs more pictures of both kinds than `subset_size`.
    """

    title = "KID (encoder features, not Inception)"
    better = "lower"

    def __init__(self, *, encoder: str, against: Against, subsets: PositiveInt, subset_size: PositiveInt) -> None:
        super().__init__(encoder=encoder, against=against)
        if subset_size < 2:
            raise ValueError(f"subset_size={subset_size}: at least 2 are needed.")
        self.subsets = subsets
        self.subset_size = subset_size

    def distance(self, real_ND: Tensor, drawn_ND: Tensor, whose: str) -> float:
        fewest = min(len(real_ND), len(drawn_ND))
        if fewest <= self.subset_size:
            raise UserError(
                f"{whose}: subset_size={self.subset_size} needs more than so many pictures of the class of both kinds, "
                f"and there are {len(drawn_ND)} drawn and {len(real_ND)} to compare with. "
                "Ask for more, or set a smaller subset_size."
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns that it keeps features
            kid = KernelInceptionDistance(
                feature=Given(real_ND.shape[1]), subsets=self.subsets, subset_size=self.subset_size
            )
        kid.update(real_ND, real=True)
        kid.update(drawn_ND, real=False)
        with torch.random.fork_rng(devices=[]):  # it draws its subsets from the global generator
            torch.manual_seed(seed_of("KID"))
            mean, _ = kid.compute()
        return float(mean)
