"""The untuned model's own prediction as the target of prior samples."""

import torch
from torch import Tensor, nn

from imprint.families.base import Family
from imprint.types import Batch, Conditioning


class Teacher(nn.Module):
    """A frozen copy of the denoiser and of what it was told of the class, taken before anything learns."""

    tokens_BLD: Tensor

    def __init__(self, family: Family, prompt: str) -> None:
        super().__init__()
        self.denoiser = family.frozen_denoiser()
        with torch.no_grad():
            told = family.condition([prompt])
        self.register_buffer("tokens_BLD", told.tokens_BLD.float(), persistent=False)
        self.extra_names = list(told.extras)
        for name, value in told.extras.items():
            self.register_buffer(f"extra_{name}", value, persistent=False)

    @torch.no_grad()
    def correct(self, family: Family, target_BCHW: Tensor, noisy_BCHW: Tensor, t_B: Tensor, batch: Batch) -> Tensor:
        """`target_BCHW` with the prior samples' part replaced by what the untuned model predicts there."""
        rows = [index for index, is_prior in enumerate(batch.is_prior_B.tolist()) if is_prior]
        if not rows:
            return target_BCHW
        prediction = family.denoise_with(self.denoiser, noisy_BCHW[rows], t_B[rows], self._told(len(rows)))
        corrected_BCHW = target_BCHW.clone()
        corrected_BCHW[rows] = prediction.to(corrected_BCHW.dtype)
        return corrected_BCHW

    def _told(self, count: int) -> Conditioning:
        def repeated(value: Tensor) -> Tensor:
            return value.expand(count, *value.shape[1:])

        extras = {name: repeated(getattr(self, f"extra_{name}")) for name in self.extra_names}
        return Conditioning(repeated(self.tokens_BLD), extras)
