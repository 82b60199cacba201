"""How much each noise level counts."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from pydantic import PositiveFloat
from torch import Tensor

from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.models.facts import ModelInfo
from imprint.models.process import NoiseProcess


class Weighting(ABC):
    def problems(self, facts: ModelInfo) -> Iterator[Problem]:
        """What makes this weighting impossible on this model; keys are relative to `objective.weighting`."""
        return iter(())

    @abstractmethod
    def weights(self, process: NoiseProcess, t_B: Tensor) -> Tensor:
        """One factor per sample."""


@of_kind("weighting/uniform")
class Uniform(Weighting):
    """Every noise level counts the same: the original objective."""

    def weights(self, process: NoiseProcess, t_B: Tensor) -> Tensor:
        return torch.ones_like(t_B, dtype=torch.float32)


@of_kind("weighting/min_snr")
class MinSNR(Weighting):
    """Min-SNR-gamma (arXiv 2303.09556): the loss on the clean picture counts min(SNR, gamma).

    A squared error of epsilon is SNR times the squared error of x, one of v or flow more than that: hence the divisor.
    """

    def __init__(self, *, gamma: PositiveFloat) -> None:
        self.gamma = gamma

    def problems(self, facts: ModelInfo) -> Iterator[Problem]:
        if facts.prediction == "epsilon" and facts.has_zero_terminal_snr:
            yield Problem(
                "gamma",
                self.gamma,
                "min-SNR divides by the SNR, which is 0 at this model's last timestep, and an epsilon prediction there "
                "says nothing of the picture. Use objective=mse, or a v-prediction model.",
            )

    def weights(self, process: NoiseProcess, t_B: Tensor) -> Tensor:
        return process.snr(t_B).clamp(max=self.gamma) / process.error_of_latents(t_B)


@of_kind("weighting/sigma_sqrt")
class SigmaSqrt(Weighting):
    """1 / b^2, where b is the noise's share (arXiv 2403.03206's name for it): little noise counts most."""

    def weights(self, process: NoiseProcess, t_B: Tensor) -> Tensor:
        _, b = process.mix(t_B)
        return b.square().reciprocal().flatten()


@of_kind("weighting/cosmap")
class CosMap(Weighting):
    """2 / (pi (a^2 + b^2)): middling noise counts up to twice as much as the ends, on a flow (arXiv 2403.03206)."""

    def weights(self, process: NoiseProcess, t_B: Tensor) -> Tensor:
        a, b = process.mix(t_B)
        return (2 / math.pi / (a.square() + b.square())).flatten()
