"""Configurations as `imprint.config.compose` makes them, but each choice of groups is composed once in a process.

Hydra reads and merges some forty files each time. Most configurations of tests differ in values alone.
"""

import pickle
from collections.abc import Sequence
from functools import cache

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from imprint.composing import Composer
from imprint.config import conf_folder, own_choices_first, register_resolvers, without_hydra


def compose(verb: str, overrides: Sequence[str] = ()) -> DictConfig:
    cfg = _composer(verb).whole(overrides, number=0)
    HydraConfig.instance().set_config(cfg)
    return without_hydra(pickle.loads(pickle.dumps(cfg)))


@cache
def _composer(verb: str) -> Composer:
    setup_globals()  # which lets ${hydra:...} be known
    own_choices_first()
    register_resolvers()
    loader = ConfigLoaderImpl(config_search_path=create_config_search_path(str(conf_folder())))
    config = loader.load_configuration(verb, overrides=[], run_mode=RunMode.RUN)
    return Composer(HydraContext(config_loader=loader, callbacks=Callbacks()), config)
