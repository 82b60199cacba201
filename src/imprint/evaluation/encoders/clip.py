"""CLIP: pictures and texts in one space."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer

from imprint.evaluation.encoders.pretrained import Pretrained
from imprint.evaluation.encoders.transformer import TransformerEncoder
from imprint.kinds import of_kind


@of_kind("encoder/clip")
class Clip(TransformerEncoder):
    """Features are the projected ones, which CLIP was trained to compare."""

    sides = frozenset({"images", "texts", "layers"})
    extras = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")

    def check(self, key: str = "encoder") -> None:
        super().check(key)
        _ = self._tokenizer  # small, and as necessary as the weights

    @torch.inference_mode()
    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        features: Tensor = self._model.visual_projection(self._seen(pictures).pooler_output)
        return features.cpu()

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Tensor:
        """Texts beyond the model's length are cut off, as everywhere."""
        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._text_length, return_tensors="pt"
        ).to(self.device)
        read = self._model.text_model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
        features: Tensor = self._model.text_projection(read.pooler_output)
        return features.cpu()

    @property
    def sharpness(self) -> float:
        """What it was trained to multiply cosines by where it chooses between texts."""
        return float(self._model.logit_scale.exp())

    def _fault(self, config: Mapping[str, Any]) -> str | None:
        kind = config.get("model_type")
        if kind != "clip":
            return f"its config.json says model_type={kind!r}, and a whole CLIP is needed (model_type='clip')."
        return self._size_fault(config.get("vision_config", {}).get("image_size", 224))

    def _load(self, files: Pretrained) -> torch.nn.Module:
        return files.load(CLIPModel)

    @torch.inference_mode()
    def _seen(self, pictures: Sequence[Image.Image], **settings: Any) -> Any:
        return self._model.vision_model(pixel_values=self._pixels(pictures), **settings)

    @cached_property
    def _tokenizer(self) -> Any:
        files = self._files()
        if "tokenizer.json" not in files.extras and not {"vocab.json", "merges.txt"} <= set(files.extras):
            raise files.refusal("its vocabulary is missing (vocab.json and merges.txt). Get the missing files.")
        try:
            return CLIPTokenizer.from_pretrained(files.folder, local_files_only=True)
        except Exception as error:  # the library lets through whatever its readers raise
            raise files.refusal(f"its vocabulary cannot be read ({error}). Get the files again.") from error

    @property
    def _text_length(self) -> int:
        return int(self._model.config.text_config.max_position_embeddings)
