"""What a point of a sweep is configured as, before it is launched."""

from collections.abc import Sequence

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from imprint.config import without_hydra


class Composer:
    """Hydra's configuration of a sweep, from which those of its points are made."""

    def __init__(self, context: HydraContext, config: DictConfig) -> None:
        self.config = config
        self._loader = context.config_loader

    def parse(self, arguments: Sequence[str]) -> list[Override]:
        parsed: list[Override] = OverridesParser.create(config_loader=self._loader).parse_overrides(list(arguments))
        return parsed

    @property
    def of_hydra(self) -> list[str]:
        """What the command said to Hydra itself: its launcher, its sweeper."""
        return [text for text in self.config.hydra.overrides.hydra if not text.startswith("hydra.mode=")]

    def point(self, overrides: Sequence[str]) -> DictConfig:
        """What the verb is given for this point. Raises Hydra's errors."""
        before = HydraConfig.instance().cfg
        cfg = self._loader.load_sweep_config(self.config, list(overrides))
        with open_dict(cfg):
            cfg.hydra.job.num = 0
        try:
            return without_hydra(cfg)
        finally:
            HydraConfig.instance().cfg = before
