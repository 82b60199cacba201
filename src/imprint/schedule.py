"""Noise: how much of it at which timestep, and what the network is asked to predict.

With a = alpha_bar(t):  noisy = sqrt(a) x + sqrt(1-a) e,  v = sqrt(a) e - sqrt(1-a) x,  SNR = a / (1-a).
"""

from typing import Literal

import torch
from torch import Tensor, nn

Prediction = Literal["epsilon", "v_prediction"]


class NoiseSchedule(nn.Module):
    """The forward process of a checkpoint. A module, so that its table moves to the device with the family."""

    alphas_T: Tensor

    def __init__(self, alphas_T: Tensor, prediction: Prediction) -> None:
        super().__init__()
        self.register_buffer("alphas_T", alphas_T.float(), persistent=False)
        self.prediction: Prediction = prediction

    @property
    def length(self) -> int:
        return len(self.alphas_T)

    @property
    def has_zero_terminal_snr(self) -> bool:
        return bool(self.alphas_T[-1] == 0)

    def add_noise(self, latents_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor) -> Tensor:
        signal, spread = self._factors(t_B)
        return signal * latents_BCHW + spread * noise_BCHW

    def target(self, latents_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor) -> Tensor:
        """What the network should say."""
        if self.prediction == "epsilon":
            return noise_BCHW
        signal, spread = self._factors(t_B)
        return signal * noise_BCHW - spread * latents_BCHW

    def recover(self, prediction_BCHW: Tensor, noisy_BCHW: Tensor, t_B: Tensor) -> tuple[Tensor, Tensor]:
        """The (latents, noise) that a prediction implies. Epsilon says nothing of the latents where SNR is zero."""
        signal, spread = self._factors(t_B)
        if self.prediction == "epsilon":
            return (noisy_BCHW - spread * prediction_BCHW) / signal, prediction_BCHW
        return signal * noisy_BCHW - spread * prediction_BCHW, spread * noisy_BCHW + signal * prediction_BCHW

    def snr(self, t_B: Tensor) -> Tensor:
        alphas_B = self.alphas_T[t_B]
        return alphas_B / (1 - alphas_B)

    def _factors(self, t_B: Tensor) -> tuple[Tensor, Tensor]:
        alphas_B111 = self.alphas_T[t_B].view(-1, 1, 1, 1)
        return alphas_B111.sqrt(), (1 - alphas_B111).sqrt()


def alphas_from_betas(betas_T: Tensor) -> Tensor:
    return torch.cumprod(1 - betas_T.double(), dim=0)
