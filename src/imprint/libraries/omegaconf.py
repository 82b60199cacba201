"""What a configuration says before it is resolved, and from where its values come. Seen with omegaconf 2.3.1."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.resolvers import oc


def written_value(parent: Container, key: Any) -> Any:
    """A value as it was written, `${...}` included. Publicly a value is read resolved, or all of a container is made
    plain at once."""
    return parent._get_node(key)._value()  # type: ignore[union-attr]


@contextmanager
def environment_reads(cfg: DictConfig, heard: Callable[[], None]) -> Iterator[None]:
    """Calls `heard` whenever reading `cfg` asks for an environment variable, directly or not. omegaconf does not tell
    from where a value came, so its resolver `oc.env` is exchanged meanwhile. What `cfg` has resolved before is set
    aside: a result that it kept would not be seen to read the environment."""

    def observed(key: str, default: Any = None) -> Any:
        heard()
        return os.environ.get(key, default)

    cache = OmegaConf.get_cache(cfg)
    OmegaConf.clear_cache(cfg)
    OmegaConf.register_new_resolver("oc.env", observed, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
        OmegaConf.set_cache(cfg, cache)
