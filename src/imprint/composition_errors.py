"""Explains overrides that Hydra refuses: unknown keys, with the nearest known ones."""

from collections.abc import Iterator, Sequence

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from imprint.config import choices, conf_folder
from imprint.errors import ConfigError, Problem
from imprint.libraries.hydra import parsed_command_line
from imprint.migration.table import advice
from imprint.overrides import in_quotes
from imprint.suggestions import nearest


def explained(verb: str, arguments: Sequence[str], error: Exception, *, places: str | None = None) -> str:
    """All unknown keys with their nearest names; Hydra's own message where the keys are not the problem. `places` is
    the key that takes files or folders: one with "=" in its name looks like another key."""
    try:
        problems = list(_unknown_keys(verb, arguments, places))
    except HydraException:  # the choices themselves do not compose, which `error` explains
        problems = []
    return str(ConfigError(problems)) if problems else str(error)


def _unknown_keys(verb: str, arguments: Sequence[str], places: str | None) -> Iterator[Problem]:
    parsed = parsed_command_line(arguments)
    overrides = OverridesParser.create().parse_overrides(parsed.overrides)
    search_path = [f"hydra.searchpath=[{in_quotes(f'file://{parsed.config_dir}')}]"] if parsed.config_dir else []
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        plain = compose(verb, overrides=search_path, return_hydra_config=True)
        groups = set(plain.hydra.runtime.choices)
        chosen = [str(override.input_line) for override in overrides if _is_choice(override, groups)]
        cfg = compose(verb, overrides=[*search_path, *chosen], return_hydra_config=True)
    known = sorted(groups | set(_keys(cfg)))
    for override in overrides:
        key = override.key_or_group
        if override.is_add() or override.is_delete() or key in known or key.startswith("hydra."):
            continue
        is_path = places and "/" in str(override.input_line)
        remedy = f"if it is a path, write {places}={override.input_line}." if is_path else nearest(key, known)
        group = key.partition(".")[0]
        if group in groups and group != key and OmegaConf.select(cfg, group) is None:
            others = [choice for choice in choices(group) if choice != cfg.hydra.runtime.choices[group]]
            remedy = f"with {group}={cfg.hydra.runtime.choices[group]} there is none. Choose {' or '.join(others)}."
        typed = str(override.input_line).partition("=")[2]
        if said := advice(f"--{key}", typed):
            remedy = f"this is {said} here."
        yield Problem(key, typed if override.is_sweep_override() else override.value(), f"unknown key; {remedy}")


def _is_choice(override: Override, groups: set[str]) -> bool:
    return override.key_or_group in groups and not override.is_sweep_override()


def _keys(cfg: DictConfig, prefix: str = "") -> Iterator[str]:
    for name in map(str, cfg):
        key = f"{prefix}{name}"
        if key == "hydra":
            continue
        yield key
        # A value that is missing, or refers to Hydra's own, cannot be read here; it has no keys below it either way.
        node = None if OmegaConf.is_missing(cfg, name) or OmegaConf.is_interpolation(cfg, name) else cfg[name]
        if isinstance(node, DictConfig):
            yield from _keys(node, f"{key}.")
