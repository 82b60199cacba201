"""The settings of a verb, composed with what was typed, each with the comment of the file that it comes from."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from imprint.config import choices, conf_folder, register_resolvers
from imprint.errors import UserError
from imprint.explaining.comments import CommentedFile, read
from imprint.foreign_files import Malformed, Unreadable, read_text
from imprint.libraries.hydra import parsed_command_line
from imprint.locations import locate
from imprint.overrides import in_quotes


class Explained(NamedTuple):
    key: str
    value: str
    comment: str


class Section(NamedTuple):
    """The verb's own settings, without a group, or those of a group: what is chosen of it, and what could be."""

    group: str
    chosen: str
    others: list[str]
    settings: list[Explained]


class _File(NamedTuple):
    """A file that has a part in the composition, and where its settings stand in it."""

    name: str  # method/lora
    package: str
    content: CommentedFile


def sections(verb: str, arguments: Sequence[str] = ()) -> list[Section]:
    """In the order of the verb's file. Raises Hydra's errors for what does not compose."""
    given = parsed_command_line(arguments)
    overrides, own = list(given.overrides), locate(given.config_dir) if given.config_dir else None
    if own:
        overrides.insert(0, f"hydra.searchpath=[{in_quotes(f'file://{own.resolve()}')}]")
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        cfg = compose(verb, overrides=overrides, return_hydra_config=True)
        files = list(_files(loader, verb, overrides, own))
    comments = _comments(files)
    chosen = {str(group): choice for group, choice in cfg.hydra.runtime.choices.items()}
    groups = {group for group in chosen if not group.startswith("hydra/")}
    first = {setting.key.partition(".")[0] for file in files if file.name == verb for setting in file.content.settings}
    found: dict[str, list[Explained]] = {"": []}
    for key, value in _values(cfg):
        group = key.partition(".")[0]
        found.setdefault(group if group in groups else "", []).append(Explained(key, value, comments.get(key, "")))
    found[""].sort(key=lambda setting: setting.key.partition(".")[0] not in first)  # shared files stand behind
    named = {group: None for group in (*found, *sorted(groups))}
    return [
        Section(group, str(chosen.get(group) or ""), _others(group, chosen, own), found.get(group, []))
        for group in named
        if "@" not in group and (group or found[""])
    ]


def keys_of(text: str, prefix: str) -> Iterator[Explained]:
    """The settings that a file itself names."""
    for setting in read(text).settings:
        if setting.value or setting.comment:
            yield Explained(f"{prefix}.{setting.key}" if prefix else setting.key, setting.value, setting.comment)


def text_of(name: str, own: Path | None) -> str | None:
    """What stands in a file of conf/, or else in one of the user's own. Raises UserError where that cannot be read."""
    for folder in filter(None, (conf_folder(), own)):
        if (file := folder / f"{name}.yaml").is_file():
            try:
                return read_text(file)
            except (Malformed, Unreadable) as error:
                raise UserError(f"{file}: it is {error}.") from error
    return None


def _others(group: str, chosen: Mapping[str, Any], own: Path | None) -> list[str]:
    return [name for name in choices(group, own) if name != chosen.get(group)] if group else []


def _files(loader: ConfigLoader, verb: str, overrides: list[str], own: Path | None) -> Iterator[_File]:
    found = loader.compute_defaults_list(config_name=verb, overrides=overrides, run_mode=RunMode.RUN)
    for default in found.defaults:
        name, package = default.config_path or "", default.package or ""
        text = None if name.startswith("hydra/") else text_of(name, own)
        if text is not None:
            yield _File(name, package, read(text))


def _comments(files: Sequence[_File]) -> dict[str, str]:
    """By whole key. What a setting is stands in the file that introduces it: files that begin with that one say why
    they set it otherwise."""
    comments: dict[str, str] = {}
    for file in files:
        for setting in file.content.settings:
            key = f"{file.package}.{setting.key}" if file.package else setting.key
            if setting.comment:
                comments.setdefault(key, setting.comment)
    return comments


def _values(cfg: DictConfig, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name in map(str, cfg):
        key = f"{prefix}{name}"
        if key == "hydra" or name.startswith("_"):
            continue
        if OmegaConf.is_missing(cfg, name):
            yield key, "???"
            continue
        if OmegaConf.is_interpolation(cfg, name):
            yield key, str(OmegaConf.to_container(cfg, resolve=False)[name])  # type: ignore[call-overload,index]
            continue
        node = cfg[name]
        if isinstance(node, DictConfig) and node:
            yield from _values(node, f"{key}.")
        else:
            yield key, _shown(node)


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if OmegaConf.is_config(value):
        items = OmegaConf.to_container(value, resolve=False)
        return f"[{','.join(map(_shown, items))}]" if isinstance(items, list) else str(items)
    text = str(value)
    return (
        f'"{text}"' if isinstance(value, str) and (not text or " " in text or text.replace(".", "").isdigit()) else text
    )
