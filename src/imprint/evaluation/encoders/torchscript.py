"""Encoders that are published as a TorchScript file alone, such as SSCD."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property

import torch
from PIL import Image
from torch import Tensor

from imprint.errors import ModelNotFound, Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.encoders.transform import Transform
from imprint.hashing import file_hash
from imprint.kinds import hashed_class, of_kind
from imprint.locations import locate


@of_kind("encoder/torchscript")
class TorchScript(Encoder):
    """`source` is a file that turns pictures (B, 3, H, W) into features (B, D). It is a program, though one that can
    only compute: give files of people that you trust."""

    sides = frozenset({"images"})

    def __init__(self, *, name: str, source: str, transform: Transform) -> None:
        super().__init__(name=name)
        self.source = source
        self.transform = transform
        self._key = "encoder"

    @property
    def fingerprint(self) -> str:
        facts = [hashed_class(type(self)), file_hash(locate(self.source)), self.transform.settings()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def check(self, key: str = "encoder") -> None:
        self._key = key
        if not locate(self.source).is_file():
            remedy = f"there is no file {locate(self.source)}. Give a TorchScript file."
            raise ModelNotFound(str(Problem(f"{key}.source", self.source, remedy)))

    def to(self, device: torch.device | str) -> None:
        super().to(device)
        if "_network" in self.__dict__:
            self._network.to(self.device)

    @torch.inference_mode()
    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        try:
            features = self._network(self.transform(pictures).to(self.device))
        except RuntimeError as error:
            raise self._refusal(f"it takes no pictures so ({error})") from error
        if not isinstance(features, Tensor) or features.dim() != 2 or len(features) != len(pictures):
            raise self._refusal("it makes no features of pictures: a table of numbers with a row for each")
        return features.float().cpu()

    @cached_property
    def _network(self) -> torch.jit.ScriptModule:
        try:
            network: torch.jit.ScriptModule = torch.jit.load(str(locate(self.source)), map_location=self.device)
        except (RuntimeError, ValueError, OSError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise self._refusal(f"it cannot be read as TorchScript ({first})") from error
        network.eval()
        return network

    def _refusal(self, reason: str) -> UserError:
        remedy = f"{reason}. Get the file again, or give another."
        return UserError(str(Problem(f"{self._key}.source", self.source, remedy)))
