"""Denoisers that were distilled from guidance: they are told its strength, and predict once a step."""

from typing import Any

import torch
from torch import Tensor

from imprint.device_transfer import to_device
from imprint.models.pipeline import PipelineModel
from imprint.types import Conditioning


class ToldGuidance(PipelineModel):
    """Of a family in which some checkpoints are told guidance; its others are guided by a negative prompt."""

    transformer: Any
    training_guidance: float = 1.0  # that the denoiser is told while it trains

    @property
    def is_told_guidance(self) -> bool:
        return bool(self.transformer.config.guidance_embeds)

    def encode_guidance(self, guidance: float, count: int) -> Conditioning:
        if not self.is_told_guidance:
            return {}
        return {"guidance": to_device(torch.full((count,), guidance), next(self.transformer.parameters()).device)}

    def draws_twice(self, guidance: float) -> bool:
        return guidance > 1 and not self.is_told_guidance

    def told(self, conditioning: Conditioning, noisy_BCHW: Tensor) -> Tensor | None:
        """The strength for each sample, float32: that of drawing, or of training."""
        if not self.is_told_guidance:
            return None
        usual_B = noisy_BCHW.new_full((len(noisy_BCHW),), self.training_guidance, dtype=torch.float32)
        return conditioning.get("guidance", usual_B)
