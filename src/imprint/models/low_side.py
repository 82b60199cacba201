"""The low side of an upscaler's training pictures: how it is made, and how much noise it has.

The network is told the level of that noise (Imagen's noise conditioning augmentation, arXiv 2205.11487). What is finer
than the noise it has to know by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from pydantic import ConfigDict, NonNegativeInt
from torch import Tensor
from torch.nn import functional
from typing_extensions import TypedDict

from imprint.errors import Problem
from imprint.models.checkpoint.autoencoder import StoredAutoencoder

KEY = "model.low_res"
# In a configuration, as `from` is a word of Python's own.
LowResSettings = TypedDict(
    "LowResSettings", {"from": Literal["photo", "autoencoder"], "base": str | None, "level": NonNegativeInt}
)
LowResSettings.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]


class Upscaling(NamedTuple):
    """What an upscaler does, as far as its checkpoint says."""

    factor: int  # by which it enlarges a side
    level: int  # of noise on the low side in training, and in drawing where no other is asked for
    largest_level: int  # of the same that the network knows


@dataclass(frozen=True)
class LowSide:
    """How the low side of a training picture is made: by the mean of each square of `factor` x `factor` pixels, and
    then, with an `autoencoder`, by passing through that of the model whose pictures are to be enlarged, as these do.
    `level` is that of the noise on it."""

    factor: int
    level: int
    autoencoder: StoredAutoencoder | None

    @classmethod
    def of_settings(cls, settings: LowResSettings, factor: int) -> "LowSide":
        base = settings["base"]
        return cls(factor, settings["level"], None if base is None else StoredAutoencoder(base, key=f"{KEY}.base"))

    def check(self) -> None:
        """Raises ModelNotFound or UserError where the autoencoder is not there."""
        if self.autoencoder is not None:
            self.autoencoder.check()

    def identity(self) -> dict[str, object]:
        """All that changes it."""
        own = {} if self.autoencoder is None else {"autoencoder": self.autoencoder.fingerprint}
        return {"from": "autoencoder" if own else "photo", "level": float(self.level), **own}

    @torch.no_grad()
    def of(self, pixels_BCHW: Tensor) -> Tensor:
        """Without noise. Of pictures in [-1, 1], float32."""
        with torch.autocast(pixels_BCHW.device.type, enabled=False):
            low_BCHW = functional.avg_pool2d(pixels_BCHW.float(), self.factor)
            return low_BCHW if self.autoencoder is None else self.autoencoder.there_and_back(low_BCHW)

    @contextmanager
    def needed(self) -> Iterator[None]:
        """Whoever makes low sides within has the autoencoder read once. It is let go at the end, unless it was in
        memory before."""
        if self.autoencoder is None or self.autoencoder.is_there:
            yield
            return
        try:
            yield
        finally:
            self.autoencoder.release()


def faults(settings: LowResSettings) -> list[str]:
    """What is wrong with the settings whatever the model is, each beginning with its key."""
    if settings["from"] == "autoencoder" and settings["base"] is None:
        return ["low_res.base=null: whose autoencoder? Give the folder or hub id of the model that draws the pictures."]
    if settings["from"] == "photo" and settings["base"] is not None:
        remedy = "the low side is made of photos alone. Set it to null, or low_res.from=autoencoder."
        return [f"low_res.base={settings['base']!r}: {remedy}"]
    return []


def level_problem(key: str, level: int, upscaling: Upscaling) -> Problem | None:
    """Of a level that the network does not know."""
    if level <= upscaling.largest_level:
        return None
    return Problem(key, level, f"this model knows levels of noise from 0 to {upscaling.largest_level}.")
