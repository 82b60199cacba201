"""Composes the configurations of a sweep's points. Most points differ in values alone, and share one composition."""

import pickle
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from imprint.config import without_hydra
from imprint.libraries.hydra import current_configuration, override_dirname

_CACHEABLE = (OverrideType.CHANGE, OverrideType.ADD)


class Composer:
    """Composes points from Hydra's configuration of a sweep.

    Hydra reads and merges some forty files for each point. Here that is done once for all points with the same group
    choices; their values are then set as Hydra sets them. Whatever is more than a choice or a value (~key, +key where
    that is no choice, a setting of Hydra's) is left to Hydra, and so are errors about values that cannot be set.
    """

    def __init__(self, context: HydraContext, config: DictConfig) -> None:
        self.config = config
        self._loader = context.config_loader
        self._parser = OverridesParser.create(config_loader=self._loader)
        self._parsed: dict[str, Override] = {}
        self._composed: dict[tuple[str | None, ...], bytes] = {}  # pickled, by the group choices
        self._groups = {str(group): True for group in config.hydra.runtime.choices}

    def parse(self, arguments: Sequence[str]) -> list[Override]:
        new = [text for text in dict.fromkeys(arguments) if text not in self._parsed]
        self._parsed.update(zip(new, self._parser.parse_overrides(new), strict=True))
        return [self._parsed[text] for text in arguments]

    @property
    def of_hydra(self) -> list[str]:
        """The command's overrides of Hydra itself: its launcher, its sweeper."""
        return [text for text in self.config.hydra.overrides.hydra if not text.startswith("hydra.mode=")]

    def options(self, group: str) -> list[str]:
        """The choices of a configuration group."""
        job, hydra = self.config.hydra.job, list(self.config.hydra.overrides.hydra)
        return list(self._loader.get_group_options(group, None, job.config_name, hydra))

    def point(self, overrides: Sequence[str]) -> DictConfig:
        """The verb's configuration for this point. Raises Hydra's errors."""
        cfg = self.whole(overrides, number=0)
        with current_configuration(cfg):
            return without_hydra(cfg)

    def first_point(self, arguments: Sequence[str]) -> DictConfig:
        """The configuration of one point of these axes. One that a search chooses numbers for is left out."""
        given = {override.get_key_element(): override for override in self.parse(arguments)}  # the last one counts
        return self.point([text for override in given.values() for text in _first_value(override)])

    def whole(self, overrides: Sequence[str], *, number: int) -> DictConfig:
        """The configuration, with Hydra's part, of the job of this number. Raises Hydra's errors."""
        parsed = self.parse(overrides)
        cfg = self._from_cache(parsed) or self._loader.load_sweep_config(self.config, list(overrides))
        with open_dict(cfg):
            cfg.hydra.job.id = number
            cfg.hydra.job.num = number
        return cfg

    def _from_cache(self, overrides: Sequence[Override]) -> DictConfig | None:
        if any(override.is_hydra_override() or override.type not in _CACHEABLE for override in overrides):
            return None
        choices = [override for override in overrides if self._is_choice(override)]
        values = [override for override in overrides if override not in choices]
        if any(override.type is OverrideType.ADD for override in values):
            return None
        cfg = self._with_choices(choices)
        try:
            for override in values:
                OmegaConf.update(cfg, override.key_or_group, override.value(), merge=True)
        except OmegaConfBaseException:
            return None
        cfg.hydra.overrides.task = [override.input_line for override in overrides]
        cfg.hydra.job.override_dirname = override_dirname(overrides, cfg.hydra.job)
        return cfg

    def _with_choices(self, choices: Sequence[Override]) -> DictConfig:
        lines = tuple(override.input_line for override in choices)
        if lines not in self._composed:
            self._composed[lines] = pickle.dumps(self._loader.load_sweep_config(self.config, list(lines)))
        cfg: DictConfig = pickle.loads(self._composed[lines])  # several times as fast as a deep copy
        return cfg

    def _is_choice(self, override: Override) -> bool:
        key = override.key_or_group
        if override.package is not None or "/" in key:
            return True
        if "." in key:
            return False
        if key not in self._groups:
            self._groups[key] = bool(self.options(key))
        return self._groups[key]


def _first_value(override: Override) -> list[str]:
    if not override.is_sweep_override():
        return [str(override.input_line)]
    if not override.is_discrete_sweep():
        return []
    return [f"{override.get_key_element()}={next(override.sweep_string_iterator())}"]
