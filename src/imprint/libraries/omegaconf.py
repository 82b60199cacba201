"""Unresolved values of a configuration, and reads of the environment. Tested with omegaconf 2.3.1."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.resolvers import oc


def written_value(parent: Container, key: Any) -> Any:
    """A value as it was written, with `${...}` unresolved. The public ways resolve a value, or convert a whole
    container."""
    return parent._get_node(key)._value()  # type: ignore[union-attr]


@contextmanager
def environment_reads(cfg: DictConfig, on_read: Callable[[], None]) -> Iterator[None]:
    """Calls `on_read` whenever resolving a value of `cfg` reads an environment variable, directly or not. omegaconf
    does not report where a value comes from, so its resolver `oc.env` is replaced meanwhile. The cache of resolved
    values is cleared, since a cached value does not read the environment again, and restored at the end."""

    def observed(key: str, default: Any = None) -> Any:
        on_read()
        return os.environ.get(key, default)

    cache = OmegaConf.get_cache(cfg)
    OmegaConf.clear_cache(cfg)
    OmegaConf.register_new_resolver("oc.env", observed, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
        OmegaConf.set_cache(cfg, cache)
