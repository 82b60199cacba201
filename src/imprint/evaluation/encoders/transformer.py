"""Encoders in transformers' format: CLIP, which has pictures and texts in one space, and vision transformers."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch
import transformers
from PIL import Image
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer

from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.encoders.pretrained import Pretrained, find
from imprint.evaluation.encoders.sight import Sight
from imprint.evaluation.encoders.transform import Transform
from imprint.kinds import hashed_class, of_kind

# Vision transformers by their model_type. Names, since the library imports a class when it is first used.
VIT_CLASSES = {"vit": "ViTModel", "dinov2": "Dinov2Model", "dinov2_with_registers": "Dinov2WithRegistersModel"}


class TransformerEncoder(Encoder):
    """`source` is a hub id, a folder, or pkg://package/folder; `revision` pins a hub id."""

    extras: ClassVar[tuple[str, ...]]  # file names, with * for anything, that features depend on besides weights

    def __init__(self, *, name: str, source: str, revision: str | None, transform: Transform) -> None:
        super().__init__(name=name)
        self.source = source
        self.revision = revision
        self.transform = transform
        self._found: Pretrained | None = None

    @property
    def fingerprint(self) -> str:
        facts = [hashed_class(type(self)), self._files().fingerprint, self.transform.settings()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def facts(self) -> Mapping[str, str]:
        return {"weights": self._files().weights_hash, "transform": self.transform.described()}

    def check(self, key: str = "encoder") -> None:
        self._files(key)

    def to(self, device: torch.device | str) -> None:
        super().to(device)
        if "_model" in self.__dict__:
            self._model.to(self.device)

    def layers(self, pictures: Sequence[Image.Image]) -> list[Tensor]:
        """Of the embedding and of every block, all tokens."""
        hidden = self._forward(pictures, output_hidden_states=True).hidden_states
        return [states_NLD.cpu() for states_NLD in hidden]

    @torch.inference_mode()
    def patches(self, pictures: Sequence[Image.Image]) -> Tensor:
        """Of the last block. What comes before the patches (the class, registers) is left out."""
        pixels_B3SS = self.transform.whole(pictures).to(self.device)
        last_NLD: Tensor = self._seen(pixels_B3SS).last_hidden_state
        side = pixels_B3SS.shape[-1] // self._patch_size
        patches_NHWD: Tensor = last_NLD[:, -(side**2) :].unflatten(1, (side, side))
        return patches_NHWD.float().cpu()

    @property
    @abstractmethod
    def _patch_size(self) -> int: ...

    @abstractmethod
    def sight(self) -> Sight:
        """What it sees pictures with, read anew and frozen, on its device: to be changed."""

    @abstractmethod
    def _fault(self, config: Mapping[str, Any]) -> str | None:
        """Why a model of this configuration is none of this kind, with the remedy."""

    @abstractmethod
    def _load(self, files: Pretrained) -> torch.nn.Module: ...

    @torch.inference_mode()
    def _forward(self, pictures: Sequence[Image.Image], **settings: Any) -> Any:
        """The output of the network for pictures."""
        return self._seen(self.transform(pictures).to(self.device), **settings)

    @abstractmethod
    def _seen(self, pixels_B3HW: Tensor, **settings: Any) -> Any:
        """The output of the network."""

    def _files(self, key: str = "encoder") -> Pretrained:
        if self._found is None:
            self._found = find(self.source, self.revision, key=f"{key}.source", extras=self.extras, fault=self._fault)
        return self._found

    @cached_property
    def _model(self) -> Any:
        return self._load(self._files()).to(self.device)

    def _size_fault(self, image_size: int) -> str | None:
        if self.transform.crop != image_size:
            return f"it sees pictures of {image_size} pixels; set transform.crop={image_size} (and resize)."
        return None


@of_kind("encoder/clip")
class Clip(TransformerEncoder):
    """CLIP. Features are the projected ones, which it was trained to compare."""

    sides = frozenset({"images", "texts", "layers", "patches"})
    extras = ("vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")

    def check(self, key: str = "encoder") -> None:
        super().check(key)
        _ = self._tokenizer  # small, and as necessary as the weights

    @torch.inference_mode()
    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        features: Tensor = self._model.visual_projection(self._forward(pictures).pooler_output)
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
    def width(self) -> int | None:
        return int(self._files().config.get("projection_dim", 512))

    def sight(self) -> Sight:
        model: Any = self._load(self._files()).to(self.device)
        seeing = model.vision_model
        return Sight(seeing, norm=seeing.post_layernorm, projection=model.visual_projection, before_patches=1)

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

    def _seen(self, pixels_B3HW: Tensor, **settings: Any) -> Any:
        return self._model.vision_model(pixel_values=pixels_B3HW, **settings)

    @property
    def _patch_size(self) -> int:
        return int(self._model.config.vision_config.patch_size)

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


@of_kind("encoder/vit")
class Vit(TransformerEncoder):
    """DINO, DINOv2 and other vision transformers that were trained without texts.

    Features are the last layer's class token. The pooler on top of it, which DINO's files lack, is never used.
    """

    sides = frozenset({"images", "layers", "patches"})
    extras = ()

    @property
    def width(self) -> int | None:
        return int(self._files().config.get("hidden_size", 768))

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        last_NLD: Tensor = self._forward(pictures).last_hidden_state
        return last_NLD[:, 0].cpu()

    def sight(self) -> Sight:
        model: Any = self._load(self._files()).to(self.device)
        registers = int(self._files().config.get("num_register_tokens", 0))
        nothing = torch.nn.Identity()
        return Sight(model, norm=nothing, projection=nothing, before_patches=1 + registers)

    def _fault(self, config: Mapping[str, Any]) -> str | None:
        kind = config.get("model_type")
        if kind not in VIT_CLASSES:
            return f"its config.json says model_type={kind!r}; known here are {', '.join(VIT_CLASSES)}."
        if kind == "vit":
            return self._size_fault(config.get("image_size", 224))
        patch, crop = config.get("patch_size", 14), self.transform.crop  # these take any number of patches
        if crop is None or crop % patch:
            return f"it sees patches of {patch} pixels; set transform.crop to a multiple of that."
        return None

    def _load(self, files: Pretrained) -> torch.nn.Module:
        kind = files.config["model_type"]
        return files.load(
            getattr(transformers, VIT_CLASSES[kind]), **({"add_pooling_layer": False} if kind == "vit" else {})
        )

    def _seen(self, pixels_B3HW: Tensor, **settings: Any) -> Any:
        return self._model(pixel_values=pixels_B3HW, **settings)

    @property
    def _patch_size(self) -> int:
        return int(self._model.config.patch_size)
