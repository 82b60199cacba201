"""What every verb that draws with finished runs is asked: which pictures, and how."""

from dataclasses import dataclass
from typing import Literal, TypeVar

from omegaconf import DictConfig
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from imprint.errors import ConfigError
from imprint.pictures.second_pass import SecondPass
from imprint.provenance.base import Provenance
from imprint.requests import Scale, read_request
from imprint.results.upscaling import UpscalerSettings
from imprint.setting_types import Place


@dataclass(frozen=True, kw_only=True)
class PictureRequest:
    """Which pictures are generated, and how."""

    weights: list[float] | None
    base: str | None
    prompt: str | list[str]
    seeds: list[NonNegativeInt]
    steps: PositiveInt | None
    guidance: NonNegativeFloat | None
    scheduler: str | None
    negative_prompt: str | None
    size: tuple[PositiveInt, PositiveInt] | None
    batch_size: PositiveInt
    scale: Scale
    picture: str | None
    hires: SecondPass | None
    upscaler: UpscalerSettings
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    provenance: Provenance
    trust: list[str]
    outputs: Place


P = TypeVar("P", bound=PictureRequest)


def read_picture_request(kind: type[P], cfg: DictConfig) -> P:
    """Raises ConfigError with everything that is wrong."""
    request = read_request(kind, cfg)
    if problems := list(request.provenance.problems()):
        raise ConfigError(problems)
    return request
