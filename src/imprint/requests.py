"""A verb's configuration as an object with checked fields."""

from typing import TypeVar

from omegaconf import DictConfig

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.errors import ConfigError

R = TypeVar("R")


def read_request(kind: type[R], cfg: DictConfig) -> R:
    """Raises ConfigError with everything that is wrong."""
    constructor = Constructor()
    request = constructor.build({**resolved(cfg), "_target_": f"{kind.__module__}.{kind.__qualname__}"}, "")
    if constructor.problems:
        raise ConfigError(constructor.problems)
    assert isinstance(request, kind)
    return request
