"""Data sets that a study has drawn for itself, by what would be typed after `imprint synthesise`."""

import copy
import hashlib
import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import open_dict

from imprint.command_line import as_overrides
from imprint.composing import Composer
from imprint.composition_errors import explained
from imprint.errors import ConfigError, Problem, UserError
from imprint.launching.plan import SweepPoint, key_of, sweep_points
from imprint.libraries.hydra import composing_apart
from imprint.locations import locate
from imprint.overrides import check_overrides, in_quotes
from imprint.study.reading import DrawnSet
from imprint.verbs import synthesise

log = logging.getLogger(__name__)

VERB = "synthesise"
FOLDER = "drawn"  # in the study's
TAKEN = ("out", "dry_run")  # by the study
SHOTS = "dataset.shots"


class ToDraw(NamedTuple):
    """`settings` are overrides of `imprint synthesise`, without its `out`."""

    settings: tuple[str, ...]
    set: DrawnSet


def words_of(text: str) -> list[str]:
    """The overrides that a text is, as it would be typed. Raises ConfigError for what cannot be."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError([Problem(VERB, text, f"it cannot be read ({error}). Close all quotes.")]) from error
    if options := [word for word in words if word.startswith("-")]:
        raise ConfigError([Problem(VERB, options[0], "give settings alone; options are the study's.")])
    overrides = as_overrides(VERB, words)
    check_overrides(overrides, sweeps=True, own=_own_conf())
    keys = [key_of(override) for override in overrides]
    if taken := [key for key in keys if key in TAKEN]:
        raise ConfigError([Problem(f"{VERB}: {taken[0]}", "", "this is for the study to say. Leave it out.")])
    return list(dict(zip(keys, overrides, strict=True)).values())


def to_draw(settings: Sequence[str], shots: Sequence[int], folder: Path, *, renamed: bool) -> list[ToDraw]:
    """What a point draws, each set in a folder of its own. Of a collection, a set for each number of shots, unless the
    settings say how many photos there are. `renamed` has arms name its pictures by the set."""
    keys = {key_of(override) for override in settings}
    each = "collection" in keys and SHOTS not in keys
    found = []
    for few in dict.fromkeys(shots) if each else [None]:
        own = tuple(settings) if few is None else (*settings, f"{SHOTS}={few}")
        name = hashlib.sha256("\n".join(sorted(own)).encode()).hexdigest()[:10]
        source = f"{FOLDER}-{source_of(settings)}" if renamed else None
        found.append(ToDraw(own, DrawnSet(folder / FOLDER / name, few, source)))
    return found


def source_of(settings: Sequence[str]) -> str:
    """What arms call the pictures of these settings, whatever the number of shots."""
    return hashlib.sha256("\n".join(sorted(settings)).encode()).hexdigest()[:10]


def _own_conf() -> Path | None:
    """The folder of the user's own configurations that this command was given."""
    sources = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else ()
    return next((locate(source.path) for source in sources if source.provider == "command-line"), None)


class Drawer:
    """Does what `imprint synthesise` does, within another command."""

    def __init__(self, context: HydraContext) -> None:
        self._context = context
        self._config = context.config_loader.load_configuration(VERB, overrides=[], run_mode=RunMode.MULTIRUN)
        self._composer = Composer(context, self._config)

    def check(self, settings: Sequence[str]) -> None:
        """Raises UserError for keys that `imprint synthesise` does not know."""
        try:
            self._composer.point(settings)
        except HydraException as error:
            own = _own_conf()
            given = [*(["--config-dir", str(own)] if own else []), *settings]
            with composing_apart():
                said = explained(VERB, given, error)
            raise UserError(said) from error

    def points(self, words: Sequence[str]) -> list[SweepPoint]:
        """Several where a key has several values."""
        return sweep_points(self._composer, words, [])

    def parse(self, words: Sequence[str]) -> list[Override]:
        return self._composer.parse(words)

    def draw(self, wanted: ToDraw, *, dry_run: bool = False) -> None:
        """What is there is not drawn again. Raises what `imprint synthesise` raises."""
        last = ["dry_run=true"] if dry_run else []
        arguments = [*wanted.settings, f"out={in_quotes(str(wanted.set.folder))}", *last]
        config = copy.deepcopy(self._config)
        with open_dict(config):
            config.hydra.overrides.task = arguments  # which are looked at before the sweep begins
        sweeper = Plugins.instance().instantiate_sweeper(
            hydra_context=self._context, task_function=synthesise.main, config=config
        )
        sweeper.sweep(arguments)
