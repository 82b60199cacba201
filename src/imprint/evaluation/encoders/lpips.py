"""LPIPS (Zhang et al. 2018): activations of a classification network, with weights fitted to human judgements.

Two published files make it: the network's weights in torchvision's layout, and the linear weights of LPIPS.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from imprint.errors import ModelNotFound, Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.encoders.transform import Transform
from imprint.hashing import fingerprint
from imprint.kinds import hashed_class, of_kind
from imprint.locations import locate


class Convolution(NamedTuple):
    number: int  # of the layer in torchvision's list
    stride: int
    padding: int
    pooled: tuple[int, int] | None  # kernel and stride of the pooling before it
    compared: bool  # whether its activations are compared


LAYOUTS: Mapping[str, Sequence[Convolution]] = {
    "alex": [
        Convolution(0, 4, 2, None, True),
        Convolution(3, 1, 2, (3, 2), True),
        Convolution(6, 1, 1, (3, 2), True),
        Convolution(8, 1, 1, None, True),
        Convolution(10, 1, 1, None, True),
    ],
    "vgg": [
        Convolution(number, 1, 1, (2, 2) if number in (5, 10, 17, 24) else None, number in (2, 7, 14, 21, 28))
        for number in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    ],
}
EPSILON = 1e-10  # LPIPS' own
REMEDY = "conf/encoder/lpips.yaml says where the files are published."


@of_kind("encoder/lpips")
class Lpips(Encoder):
    """Layers whose squared distance, summed over channels, averaged over places, summed over layers, is LPIPS.

    `backbone` and `linear` are files, .safetensors or .pth.
    """

    sides = frozenset({"layers"})

    def __init__(
        self, *, name: str, network: Literal["alex", "vgg"], backbone: str, linear: str, transform: Transform
    ) -> None:
        super().__init__(name=name)
        self.network = network
        self.backbone = backbone
        self.linear = linear
        self.transform = transform
        self._key = "encoder"

    @property
    def fingerprint(self) -> str:
        content = fingerprint({"backbone": locate(self.backbone), "linear": locate(self.linear)})
        facts = [hashed_class(type(self)), self.network, content, self.transform.settings()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def check(self, key: str = "encoder") -> None:
        self._key = key
        problems = []
        for name, path in (("backbone", self.backbone), ("linear", self.linear)):
            if not locate(path).is_file():
                problems.append(str(Problem(f"{key}.{name}", path, f"there is no file {locate(path)}. {REMEDY}")))
        if problems:
            raise ModelNotFound("\n".join(problems))
        _ = self._weights  # small beside every other encoder's

    @torch.inference_mode()
    def layers(self, pictures: Sequence[Image.Image]) -> list[Tensor]:
        x_BCHW = self.transform(pictures).to(self.device)
        convolutions, scales = self._weights
        found: list[Tensor] = []
        for layer, (weight, bias) in zip(LAYOUTS[self.network], convolutions, strict=True):
            if layer.pooled:
                x_BCHW = functional.max_pool2d(x_BCHW, *layer.pooled)
            x_BCHW = functional.conv2d(
                x_BCHW, weight.to(self.device), bias.to(self.device), stride=layer.stride, padding=layer.padding
            ).relu()
            if layer.compared:
                norm_B1HW = x_BCHW.square().sum(1, keepdim=True).sqrt()
                scaled_BCHW = x_BCHW / (norm_B1HW + EPSILON) * scales[len(found)].to(self.device).view(1, -1, 1, 1)
                found.append(scaled_BCHW.flatten(2).transpose(1, 2).cpu())
        return found

    @cached_property
    def _weights(self) -> tuple[list[tuple[Tensor, Tensor]], list[Tensor]]:
        """Of every convolution (weight, bias), and of every compared one the square roots of LPIPS' weights."""
        layout = LAYOUTS[self.network]
        network, linear = self._read("backbone"), self._read("linear")
        try:
            convolutions = [
                (network[f"features.{layer.number}.weight"].float(), network[f"features.{layer.number}.bias"].float())
                for layer in layout
            ]
        except KeyError as error:
            remedy = f"it has no weight {error.args[0]}, so it is no {self.network} in torchvision's layout. {REMEDY}"
            raise UserError(str(Problem(f"{self._key}.backbone", self.backbone, remedy))) from error
        channels = [len(weight) for (weight, _), layer in zip(convolutions, layout, strict=True) if layer.compared]
        scales = [linear.get(f"lin{depth}.model.1.weight") for depth in range(len(channels))]
        fitting = [
            scale is not None and scale.numel() == count and bool((scale >= 0).all())
            for scale, count in zip(scales, channels, strict=True)
        ]
        if not all(fitting):
            remedy = f"these are not LPIPS' linear weights for {self.network}. {REMEDY}"
            raise UserError(str(Problem(f"{self._key}.linear", self.linear, remedy)))
        return convolutions, [scale.float().flatten().sqrt() for scale in scales if scale is not None]

    def _read(self, part: Literal["backbone", "linear"]) -> Mapping[str, Tensor]:
        path = str(getattr(self, part))
        file = locate(path)
        try:
            return load_file(file) if file.suffix == ".safetensors" else _unpickled(file)
        except Exception as error:  # whatever the readers raise
            remedy = f"the file cannot be read ({error}). Get it again."
            raise UserError(str(Problem(f"{self._key}.{part}", path, remedy))) from error


def _unpickled(file: Path) -> dict[str, Tensor]:
    """Tensors only: nothing in the file is run."""
    content = torch.load(file, map_location="cpu", weights_only=True)
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}
