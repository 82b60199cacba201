"""The untuned model's own prediction as the target of prior samples."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imprint.families.base import Family
from imprint.training.conditioning import CaptionCache
from imprint.types import Batch


class Teacher(nn.Module):
    """A frozen copy of the denoiser, and what it was told of each class, taken before anything learns."""

    def __init__(self, family: Family, prompts: Sequence[str]) -> None:
        super().__init__()
        self.denoiser = family.frozen_denoiser()
        self._captions = CaptionCache()
        self._captions.condition(family, prompts)

    @torch.no_grad()
    def correct(self, family: Family, target_BCHW: Tensor, noisy_BCHW: Tensor, t_B: Tensor, batch: Batch) -> Tensor:
        """`target_BCHW` with the prior samples' part replaced by what the untuned model predicts there."""
        if not batch.priors:
            return target_BCHW
        first = len(batch.ids) - batch.priors
        told = self._captions.condition(family, batch.captions[first:])
        told = {**told, **family.encode_geometry(batch.geometry[first:])}
        prediction_BCHW = family.denoise_with(self.denoiser, noisy_BCHW[first:], t_B[first:], told)
        return torch.cat([target_BCHW[:first], prediction_BCHW.to(target_BCHW.dtype)])
