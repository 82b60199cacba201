"""What every quantisation offers: how a linear layer's weight becomes bytes, and how it is made from them again."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar

import torch
from torch import Tensor

from imprint.kinds import class_of, kind_of, label, names_in

EXTRA = "quantise"  # with the libraries that quantisations need


class Quantisation(ABC):
    """A layer has its tensors as plain bytes, so that nothing that moves, casts, copies or sends weights can change
    them. It has no state: what it needs to know of a weight is among the bytes."""

    package: ClassVar[str | None] = None  # the library that it needs beside torch, and since which release
    release: ClassVar[tuple[int, int]] = (0, 0)
    not_on: ClassVar[frozenset[str]] = frozenset()  # kinds of devices that lack its types

    @property
    def name(self) -> str:
        """What `model.quantise` names it by."""
        return label(str(kind_of(type(self))))

    @abstractmethod
    def sizes(self, rows: int, columns: int) -> Mapping[str, int]:
        """The number of bytes of each tensor of a weight of this shape, by its name."""

    @abstractmethod
    def pack(self, weight_OI: Tensor) -> dict[str, Tensor]:
        """The tensors of a float32 weight, as bytes, on its device."""

    @abstractmethod
    def unpack(self, packed: Mapping[str, Tensor], rows: int, columns: int, dtype: torch.dtype) -> Tensor:
        """The weight that they stand for."""

    def bytes_of(self, rows: int, columns: int) -> int:
        """What a weight of this shape takes in memory."""
        return sum(self.sizes(rows, columns).values())

    def is_installed(self) -> bool:
        if self.package is None:
            return True
        try:
            numbers = re.findall(r"\d+", version(self.package))
        except PackageNotFoundError:
            return False
        return tuple(map(int, numbers[:2])) >= self.release


def known_quantisations() -> list[str]:
    return names_in("quantisation")


def quantisation(name: str) -> Quantisation | None:
    """That of a name; None where there is none."""
    kind = class_of(f"quantisation/{name}")
    return None if kind is None else kind()


def as_bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().flatten().view(torch.uint8)
