"""Noise: how much of it at which time, and what the network predicts.

Every process mixes a clean latent x with noise e, and every prediction p is a mix of the same two:

    z = a x + b e        a and b follow from the time
    p = c e + d x        epsilon: c = 1, d = 0;   v: c = a, d = -b;   flow: c = 1, d = -1

With D = a c - b d, a prediction implies x = (c z - b p) / D and e = (a p - d z) / D, so its error is D / b times that
of x. The signal-to-noise ratio is (a / b)^2. All processes share this algebra: a subclass defines a and b;
the checkpoint determines the process and the prediction.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from imprint import rng

Prediction = Literal["epsilon", "v_prediction", "flow"]
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)
FLOW: tuple[Prediction, ...] = ("flow",)


class Shift(NamedTuple):
    """How far a checkpoint's own schedule moves times towards noise when it draws, which it does more for larger
    pictures, as these stay recognisable under more noise.

    The factor's logarithm (`exponential`), or the factor itself, grows linearly with the number of tokens, of
    `patch` x `patch` latent pixels each.
    """

    base: float
    maximum: float
    base_tokens: int
    max_tokens: int
    exponential: bool
    patch: int

    @classmethod
    def constant(cls, factor: float) -> "Shift":
        return cls(factor, factor, 0, 1, exponential=False, patch=1)

    @classmethod
    def of_strength(cls, strength: float) -> "Shift":
        """The same for pictures of all sizes, by its factor's logarithm."""
        return cls(strength, strength, 0, 1, exponential=True, patch=1)

    def strength(self, latent_shape: Sequence[int]) -> float:
        """What the library's schedulers call mu."""
        tokens = latent_shape[-2] * latent_shape[-1] / self.patch**2
        slope = (self.maximum - self.base) / (self.max_tokens - self.base_tokens)
        return self.base + slope * (tokens - self.base_tokens)

    def factor(self, latent_shape: Sequence[int]) -> float:
        strength = self.strength(latent_shape)
        return math.exp(strength) if self.exponential else strength


def shifted(shares_B: Tensor, factor: float) -> Tensor:
    """Shares of noise, in [0, 1], moved towards noise by a factor above 1."""
    return factor * shares_B / (1 + (factor - 1) * shares_B)


class NoiseProcess(nn.Module, ABC):
    """The forward process of a checkpoint. A module, so that its table moves to the device with the model."""

    prediction: Prediction
    length: int  # number of timesteps, the unit in which settings give times
    shift: Shift | None = None  # of times when the checkpoint's own schedule draws, where it has one

    @property
    @abstractmethod
    def has_zero_terminal_snr(self) -> bool:
        """Whether nothing of the latent is left at the last time."""

    @abstractmethod
    def mix(self, t_B: Tensor) -> tuple[Tensor, Tensor]:
        """(a, b) of each sample, B x 1 x 1 x 1."""

    @abstractmethod
    def draw_times(self, names: Iterable[Sequence[int | str]], first: int, stop: int) -> Tensor:
        """One time per name, between the timesteps `first` and `stop`, all alike."""

    @abstractmethod
    def times_at(self, shares_B: Tensor, first: int, stop: int) -> Tensor:
        """The times at these shares of the way from `first` to `stop`, in (0, 1]; a larger one has more noise."""

    @abstractmethod
    def time_of(self, timestep: Tensor) -> Tensor:
        """The time that a scheduler's timestep means."""

    @abstractmethod
    def timestep_of(self, t_B: Tensor) -> Tensor:
        """The timestep of a time, which a UNet embeds: the inverse of `time_of`."""

    def add_noise(self, latents_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor) -> Tensor:
        a, b = self.mix(t_B)
        return a * latents_BCHW + b * noise_BCHW

    def target(self, latents_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor) -> Tensor:
        """What the network should predict."""
        if self.prediction == "epsilon":
            return noise_BCHW
        c, d = self._predicted(*self.mix(t_B))
        return c * noise_BCHW + d * latents_BCHW

    def recover(self, prediction_BCHW: Tensor, noisy_BCHW: Tensor, t_B: Tensor) -> tuple[Tensor, Tensor]:
        """The (latents, noise) that a prediction implies. Epsilon implies no latents where the SNR is zero."""
        a, b = self.mix(t_B)
        c, d = self._predicted(a, b)
        determinant = a * c - b * d
        latents_BCHW = (c * noisy_BCHW - b * prediction_BCHW) / determinant
        return latents_BCHW, (a * prediction_BCHW - d * noisy_BCHW) / determinant

    def snr(self, t_B: Tensor) -> Tensor:
        a, b = self.mix(t_B)
        return (a / b).square().flatten()

    def error_of_latents(self, t_B: Tensor) -> Tensor:
        """How many times larger a squared error of the prediction is than that of the latents that it implies."""
        a, b = self.mix(t_B)
        c, d = self._predicted(a, b)
        return ((a * c - b * d) / b).square().flatten()

    def _predicted(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """(c, d)."""
        if self.prediction == "v_prediction":
            return a, -b
        one = torch.ones_like(a)
        return one, (torch.zeros_like(a) if self.prediction == "epsilon" else -one)


class Diffusion(NoiseProcess):
    """A table of alpha_bar by whole timesteps: a^2 = alpha_bar, b^2 = 1 - alpha_bar (DDPM, arXiv 2006.11239)."""

    alphas_T: Tensor

    def __init__(self, alphas_T: Tensor, prediction: Prediction) -> None:
        super().__init__()
        self.register_buffer("alphas_T", alphas_T.float(), persistent=False)
        self.prediction = prediction
        self.length = len(alphas_T)

    @property
    def has_zero_terminal_snr(self) -> bool:
        return bool(self.alphas_T[-1] == 0)

    def mix(self, t_B: Tensor) -> tuple[Tensor, Tensor]:
        alphas_B111 = self.alphas_T[t_B].view(-1, 1, 1, 1)
        return alphas_B111.sqrt(), (1 - alphas_B111).sqrt()

    def draw_times(self, names: Iterable[Sequence[int | str]], first: int, stop: int) -> Tensor:
        return rng.integers(names, first, stop)

    def times_at(self, shares_B: Tensor, first: int, stop: int) -> Tensor:
        steps_B = torch.ceil(shares_B.double() * (stop - first)).long() - 1
        return first + steps_B.clamp(0, stop - first - 1)

    def time_of(self, timestep: Tensor) -> Tensor:
        return timestep

    def timestep_of(self, t_B: Tensor) -> Tensor:
        return t_B


class Flow(NoiseProcess):
    """A straight line from the latent to the noise: a = 1 - s, b = s, where the time s is the noise's share in (0, 1]
    (rectified flow, arXiv 2209.03003)."""

    def __init__(self, length: int, shift: Shift | None = None) -> None:
        super().__init__()
        self.prediction = "flow"
        self.length = length
        self.shift = shift

    @property
    def has_zero_terminal_snr(self) -> bool:
        return True

    def mix(self, t_B: Tensor) -> tuple[Tensor, Tensor]:
        s_B111 = t_B.float().view(-1, 1, 1, 1)
        return 1 - s_B111, s_B111

    def draw_times(self, names: Iterable[Sequence[int | str]], first: int, stop: int) -> Tensor:
        """Uniform. Never 0, at which there is no noise to predict."""
        shares = torch.tensor([rng.uniform(*name) for name in names])
        return (stop - shares * (stop - first)) / self.length

    def times_at(self, shares_B: Tensor, first: int, stop: int) -> Tensor:
        return (first + shares_B * (stop - first)) / self.length

    def time_of(self, timestep: Tensor) -> Tensor:
        return timestep / self.length

    def timestep_of(self, t_B: Tensor) -> Tensor:
        return t_B * self.length


def alphas_from_betas(betas_T: Tensor) -> Tensor:
    return torch.cumprod(1 - betas_T.double(), dim=0)
