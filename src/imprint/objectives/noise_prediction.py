"""The denoising loss: a mean squared error per sample, and its split into instance and prior."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt
from torch import Tensor
from torch.nn import functional

from imprint import rng
from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.models.facts import ModelInfo
from imprint.models.process import NoiseProcess
from imprint.objectives.times import Times
from imprint.objectives.weighting import Weighting
from imprint.types import Losses


@of_kind("objective/noise_prediction")
class NoisePrediction:
    """The timestep and the noise of each sample, and the loss of a prediction.

    `timesteps` is the range that timesteps are sampled from, without its end, and `times` says how often each of them
    is; None: as the model's configuration says (`with_times`). `noise_offset` shifts each channel of the
    noise by a normal variable of that standard deviation, so that a model can learn overall brightness.
    """

    former_defaults: ClassVar[Mapping[str, Any]] = {"times": None}

    def __init__(
        self,
        *,
        weighting: Weighting,
        times: Times | None,
        noise_offset: NonNegativeFloat,
        timesteps: tuple[NonNegativeInt, PositiveInt],
    ) -> None:
        if timesteps[0] >= timesteps[1]:
            raise ValueError(f"timesteps={list(timesteps)}: the first must be below the last.")
        self.weighting = weighting
        self.times = times
        self.noise_offset = noise_offset
        self.timesteps = timesteps

    def problems(self, facts: ModelInfo) -> Iterator[Problem]:
        """What makes this objective impossible on this model; keys are relative to `objective`."""
        if self.timesteps[1] > facts.timesteps:
            yield Problem(
                "timesteps",
                list(self.timesteps),
                f"this model has {facts.timesteps} timesteps; the last must not be above that.",
            )
        for problem in self.weighting.problems(facts):
            yield problem._replace(key=f"weighting.{problem.key}")
        for problem in self.times.problems(facts) if self.times else ():
            yield problem._replace(key=f"times.{problem.key}")

    def with_times(self, times: Times) -> "NoisePrediction":
        """With the model's times, where this names none."""
        return self if self.times else type(self)(**{**vars(self), "times": times})

    def sample_timesteps(
        self, seed: int, ids: Sequence[str], process: NoiseProcess, latent_shape: Sequence[int]
    ) -> Tensor:
        """The time of each sample, for latents of this shape."""
        assert self.times is not None
        names = [(seed, "timestep", name) for name in ids]
        return self.times.draw(names, process, self.timesteps, latent_shape)

    def median_noise(self, process: NoiseProcess, latent_shape: Sequence[int]) -> float:
        """The share of noise that half of all samples do not exceed: its weight b beside the latent's a."""
        assert self.times is not None
        a, b = process.mix(self.times.median(process, self.timesteps, latent_shape))
        return float(b / (a + b))

    def sample_noise(self, seed: int, ids: list[str], latent_shape: Sequence[int]) -> Tensor:
        noise_BCHW = rng.normal(((seed, "noise", name) for name in ids), latent_shape)
        if self.noise_offset > 0:
            offset_BC11 = rng.normal(((seed, "noise offset", name) for name in ids), (latent_shape[0], 1, 1))
            noise_BCHW = noise_BCHW + self.noise_offset * offset_BC11
        return noise_BCHW

    def losses(
        self,
        prediction_BCHW: Tensor,
        target_BCHW: Tensor,
        *,
        process: NoiseProcess,
        t_B: Tensor,
        is_prior_B: Tensor,
        prior_weight: float,
        weights_BHW: Tensor | None = None,
    ) -> Losses:
        """The mean over instance samples, plus `prior_weight` times the mean over prior samples.

        Each sample is weighted by its own timestep before the split, so both parts see the same weighting. With
        `weights_BHW`, of any multiple of the latents' size, a sample's error is the mean weighted by them: a small
        subject counts as much as one that fills the picture.
        """
        error_BCHW = (prediction_BCHW.float() - target_BCHW.float()).square()
        error_B = error_BCHW.flatten(1).mean(dim=1) if weights_BHW is None else weighted_mean(error_BCHW, weights_BHW)
        per_sample_B = error_B * self.weighting.weights(process, t_B)
        instance = masked_mean(per_sample_B, ~is_prior_B)
        prior = masked_mean(per_sample_B, is_prior_B)
        shown_prior = torch.where(is_prior_B.any(), prior, torch.nan)  # nan where the batch has none
        return Losses(instance + prior_weight * prior, instance, shown_prior, per_sample_B)


def weighted_mean(error_BCHW: Tensor, weights_BHW: Tensor) -> Tensor:
    """Per sample; a latent pixel has the mean weight of the pixels that it stands for."""
    height, width = error_BCHW.shape[-2:]
    weights_BHW = functional.adaptive_avg_pool2d(weights_BHW, (height, width))
    total_B = (error_BCHW.mean(dim=1) * weights_BHW).flatten(1).sum(dim=1)
    return total_B / weights_BHW.flatten(1).sum(dim=1)


def masked_mean(values_B: Tensor, mask_B: Tensor) -> Tensor:
    """The mean where the mask holds; 0 where it holds nowhere."""
    mask_B = mask_B.to(values_B.dtype)
    return torch.sum(values_B * mask_B) / mask_B.sum().clamp(min=1)
