"""The untuned model's own prediction as the target of prior samples."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imprint.families.base import Family
from imprint.transfer import sent
from imprint.types import Batch, Conditioning


class Teacher(nn.Module):
    """A frozen copy of the denoiser and of what it was told of each class, taken before anything learns."""

    tokens_BLD: Tensor

    def __init__(self, family: Family, prompts: Sequence[str]) -> None:
        super().__init__()
        self.denoiser = family.frozen_denoiser()
        self.prompts = list(dict.fromkeys(prompts))
        with torch.no_grad():
            told = family.condition(self.prompts)
        self.register_buffer("tokens_BLD", told.tokens_BLD.float(), persistent=False)
        self.extra_names = list(told.extras)
        for name, value in told.extras.items():
            self.register_buffer(f"extra_{name}", value, persistent=False)

    @torch.no_grad()
    def correct(self, family: Family, target_BCHW: Tensor, noisy_BCHW: Tensor, t_B: Tensor, batch: Batch) -> Tensor:
        """`target_BCHW` with the prior samples' part replaced by what the untuned model predicts there."""
        if not batch.priors:
            return target_BCHW
        first = len(batch.ids) - batch.priors
        told = self._told(batch.captions[first:])
        prediction_BCHW = family.denoise_with(self.denoiser, noisy_BCHW[first:], t_B[first:], told)
        return torch.cat([target_BCHW[:first], prediction_BCHW.to(target_BCHW.dtype)])

    def _told(self, captions: Sequence[str]) -> Conditioning:
        rows = sent(torch.tensor([self.prompts.index(caption) for caption in captions]), self.tokens_BLD.device)
        return Conditioning(
            self.tokens_BLD[rows], {name: getattr(self, f"extra_{name}")[rows] for name in self.extra_names}
        )
