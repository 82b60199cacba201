"""Vision transformers that were trained without texts: DINO, DINOv2, and their like."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import transformers
from PIL import Image
from torch import Tensor

from imprint.evaluation.encoders.pretrained import Pretrained
from imprint.evaluation.encoders.transformer import TransformerEncoder
from imprint.kinds import of_kind

# By name, since the library loads a class when it is asked for.
KINDS = {"vit": "ViTModel", "dinov2": "Dinov2Model", "dinov2_with_registers": "Dinov2WithRegistersModel"}


@of_kind("encoder/vit")
class Vit(TransformerEncoder):
    """Features are the last layer's class token. The pooler on top of it, which DINO's files lack, is never used."""

    sides = frozenset({"images", "layers"})
    extras = ()

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        last_NLD: Tensor = self._seen(pictures).last_hidden_state
        return last_NLD[:, 0].cpu()

    def _fault(self, config: Mapping[str, Any]) -> str | None:
        kind = config.get("model_type")
        if kind not in KINDS:
            return f"its config.json says model_type={kind!r}; known here are {', '.join(KINDS)}."
        if kind == "vit":
            return self._size_fault(config.get("image_size", 224))
        patch, crop = config.get("patch_size", 14), self.transform.crop  # these take any number of patches
        if crop is None or crop % patch:
            return f"it sees patches of {patch} pixels; set transform.crop to a multiple of that."
        return None

    def _load(self, files: Pretrained) -> torch.nn.Module:
        kind = files.config["model_type"]
        return files.load(getattr(transformers, KINDS[kind]), **({"add_pooling_layer": False} if kind == "vit" else {}))

    @torch.inference_mode()
    def _seen(self, pictures: Sequence[Image.Image], **settings: Any) -> Any:
        return self._model(pixel_values=self._pixels(pictures), **settings)
