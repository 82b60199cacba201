"""A verb's configuration as an object with checked fields, and the fields that several verbs share."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from omegaconf import DictConfig
from pydantic import ConfigDict, NonNegativeFloat

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.errors import ConfigError, UserError
from imprint.locations import locate
from imprint.models.roles import DENOISER

R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How strong what was trained is, by role; `unet` is another name of the denoiser."""

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    denoiser: NonNegativeFloat
    text: NonNegativeFloat
    text_2: NonNegativeFloat | None
    text_3: NonNegativeFloat | None
    unet: NonNegativeFloat | None

    def by_role(self) -> dict[str, float]:
        """Of the roles that are given; `text` means all text encoders that are not."""
        return {role_of(name): strength for name, strength in asdict(self).items() if strength is not None}


def role_of(name: str) -> str:
    """The role that the name of a strength means."""
    return DENOISER if name == "unet" else name


def as_list(given: str | Sequence[str]) -> list[str]:
    """Of a key that may be one or several."""
    return [given] if isinstance(given, str) else list(given)


def prompts_in(path: str, *, key: str) -> list[str]:
    """The prompts in a text file, one a line. Raises UserError where it cannot be read, or has none."""
    try:
        lines = [line.strip() for line in locate(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{key}={path}: cannot be read ({error}). Give a text file with a prompt a line.") from error
    if not lines:
        raise UserError(f"{key}={path}: there is no prompt in it. Write one a line.")
    return lines


def read_request(kind: type[R], cfg: DictConfig) -> R:
    """Raises ConfigError with everything that is wrong."""
    constructor = Constructor()
    request = constructor.build({**resolved(cfg), "_target_": f"{kind.__module__}.{kind.__qualname__}"}, "")
    if constructor.problems:
        raise ConfigError(constructor.problems)
    assert isinstance(request, kind)
    return request
