"""The untuned model's own prediction as the target of prior samples."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imprint.models.base import Model
from imprint.training.conditioning import CaptionCache
from imprint.types import Batch


class Teacher(nn.Module):
    """A frozen copy of the denoiser, and what it was told of each class, taken before anything learns."""

    def __init__(self, model: Model, prompts: Sequence[str]) -> None:
        super().__init__()
        self.denoiser = model.frozen_denoiser()
        self._captions = CaptionCache()
        self._captions.condition(model, prompts)

    @torch.no_grad()
    def correct(self, model: Model, target_BCHW: Tensor, noisy_BCHW: Tensor, t_B: Tensor, batch: Batch) -> Tensor:
        """`target_BCHW` with the prior samples' part replaced by what the untuned model predicts there."""
        if not batch.priors:
            return target_BCHW
        first = len(batch.ids) - batch.priors
        told = self._captions.condition(model, batch.captions[first:])
        told = {**told, **model.encode_geometry(batch.geometry[first:])}
        prediction_BCHW = model.denoise_with(self.denoiser, noisy_BCHW[first:], t_B[first:], told)
        return torch.cat([target_BCHW[:first], prediction_BCHW.to(target_BCHW.dtype)])
