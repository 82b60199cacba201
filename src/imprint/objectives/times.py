"""At which times a network is trained: how often each level of noise is drawn."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from imprint import rng
from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.models.facts import ModelInfo
from imprint.models.process import NoiseProcess, shifted

Names = Sequence[Sequence[int | str]]
BY_RESOLUTION = "resolution"


class Times(ABC):
    """A distribution of shares in (0, 1], of which a larger one is a time with more noise.

    `shift` moves shares towards noise: s' = a s / (1 + (a - 1) s), where a is a number, or what the checkpoint's own
    schedule has for pictures of that size when it draws ("resolution"). null leaves them as they are.
    """

    def __init__(self, *, shift: PositiveFloat | Literal["resolution"] | None) -> None:
        self.shift = shift

    @abstractmethod
    def at_quantile(self, quantiles_B: Tensor) -> Tensor:
        """The shares below which these parts of all shares lie; quantiles are in (0, 1]."""

    def problems(self, facts: ModelInfo) -> Iterator[Problem]:
        """What makes these times impossible on this model; keys are relative to `objective.times`."""
        if self.shift == BY_RESOLUTION and facts.process.shift is None:
            yield Problem(
                "shift",
                self.shift,
                "this model's schedule has no shift by resolution. Give a number, or null for none.",
            )

    def draw(self, names: Names, process: NoiseProcess, window: tuple[int, int], latent_shape: Sequence[int]) -> Tensor:
        """One time per name, between the timesteps of `window`, for latents of this shape."""
        quantiles_B = torch.tensor([1 - rng.uniform(*name) for name in names])
        return self._times(quantiles_B, process, window, latent_shape)

    def median(self, process: NoiseProcess, window: tuple[int, int], latent_shape: Sequence[int]) -> Tensor:
        """The time that half of all samples do not exceed."""
        return self._times(torch.tensor([0.5]), process, window, latent_shape)

    def _times(
        self, quantiles_B: Tensor, process: NoiseProcess, window: tuple[int, int], latent_shape: Sequence[int]
    ) -> Tensor:
        shares_B = self.at_quantile(quantiles_B)
        if self.shift is not None:
            shares_B = shifted(shares_B, self._factor(process, latent_shape))
        return process.times_at(shares_B, *window)

    def _factor(self, process: NoiseProcess, latent_shape: Sequence[int]) -> float:
        if self.shift != BY_RESOLUTION:
            return float(self.shift or 1.0)
        assert process.shift is not None, "checked before a run"
        return process.shift.factor(latent_shape)


@of_kind("times/uniform")
class Uniform(Times):
    """Every time alike."""

    def at_quantile(self, quantiles_B: Tensor) -> Tensor:
        return quantiles_B

    def draw(self, names: Names, process: NoiseProcess, window: tuple[int, int], latent_shape: Sequence[int]) -> Tensor:
        if self.shift is None:
            return process.draw_times(names, *window)  # as before there were other times, to the last digit
        return super().draw(names, process, window, latent_shape)


@of_kind("times/logit_normal")
class LogitNormal(Times):
    """The logit of the share is normal (arXiv 2403.03206, section 3.1): middling noise most often. A positive `mean` is
    more noise."""

    def __init__(self, *, shift: PositiveFloat | Literal["resolution"] | None, mean: float, std: PositiveFloat) -> None:
        super().__init__(shift=shift)
        self.mean = mean
        self.std = std

    def at_quantile(self, quantiles_B: Tensor) -> Tensor:
        return torch.sigmoid(self.mean + self.std * torch.special.ndtri(quantiles_B))


@of_kind("times/mode")
class Mode(Times):
    """Middling noise more often than the ends, which keep a density of their own (the same paper): `scale` 0 is
    uniform; from 2 / (pi - 2), that is 1.75, on times would no longer be in order."""

    def __init__(self, *, shift: PositiveFloat | Literal["resolution"] | None, scale: NonNegativeFloat) -> None:
        super().__init__(shift=shift)
        if scale > 2 / (math.pi - 2):
            raise ValueError(f"scale={scale}: it must not be above {2 / (math.pi - 2):.2f}.")
        self.scale = scale

    def at_quantile(self, quantiles_B: Tensor) -> Tensor:
        # the paper's formula of a uniform u, whose share falls as u rises; a quantile is the other end of u
        u_B = 1 - quantiles_B
        return 1 - u_B - self.scale * (torch.cos(math.pi / 2 * u_B).square() - 1 + u_B)


@of_kind("times/parabola")
class Parabola(Times):
    """Middling noise most often, by a parabola: the ends are drawn `ends` times as often as the middle."""

    def __init__(self, *, shift: PositiveFloat | Literal["resolution"] | None, ends: NonNegativeFloat) -> None:
        super().__init__(shift=shift)
        if ends >= 1:
            raise ValueError(f"ends={ends}: it must be below 1. With as many at the ends, times are uniform.")
        self.ends = ends

    def at_quantile(self, quantiles_B: Tensor) -> Tensor:
        """The density is 1 - (y / r)^2, where y is a share's distance from 1/2. Its integral to the quantile q,
        y - y^3 / (3 r^2) = A (q - 1/2) with the whole area A, is solved by y = 2 r sin(w) and
        sin(3 w) = 3 A (q - 1/2) / (2 r)."""
        radius = 1 / math.sqrt(4 * (1 - self.ends))
        area = 1 - (1 - self.ends) / 3
        sine_B = 1.5 * area / radius * (quantiles_B.double() - 0.5)
        shares_B = 0.5 + 2 * radius * torch.sin(torch.asin(sine_B.clamp(-1, 1)) / 3)
        return shares_B.clamp(max=1).to(quantiles_B.dtype)
