"""What encoders in transformers' format have in common: files, a transform, weights read when needed."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor

from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.encoders.pretrained import Pretrained, find
from imprint.evaluation.encoders.transform import Transform
from imprint.kinds import hashed_class


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

    def check(self, key: str = "encoder") -> None:
        self._files(key)

    def to(self, device: torch.device | str) -> None:
        super().to(device)
        if "_model" in self.__dict__:
            self._model.to(self.device)

    def layers(self, pictures: Sequence[Image.Image]) -> list[Tensor]:
        """Of the embedding and of every block, all tokens."""
        hidden = self._seen(pictures, output_hidden_states=True).hidden_states
        return [states_NLD.cpu() for states_NLD in hidden]

    @abstractmethod
    def _fault(self, config: Mapping[str, Any]) -> str | None:
        """Why a model of this configuration is none of this kind, with the remedy."""

    @abstractmethod
    def _load(self, files: Pretrained) -> torch.nn.Module: ...

    @abstractmethod
    def _seen(self, pictures: Sequence[Image.Image], **settings: Any) -> Any:
        """The output of the network that sees pictures."""

    def _pixels(self, pictures: Sequence[Image.Image]) -> Tensor:
        return self.transform(pictures).to(self.device)

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
