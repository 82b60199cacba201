"""The configuration: its folder, resolvers, composing outside the command line, and the signature of a run."""

import copy
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

from imprint.errors import ConfigError, UserError, no_value
from imprint.libraries.hydra import forget_plugin_choice

OF_ANY_SUBJECT = ("folder", "hub", "kohya")  # choices of a dataset, named by where the pictures are


def conf_folder() -> Path:
    """`conf/` inside an installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent.parent / "conf"


def choices(group: str, own: Path | None = None) -> list[str]:
    """What can be chosen in a group, with what the user's `own` folder adds; nothing, where that is no group. Left out
    are files that only others start from: they have neither a class nor a file that they start from themselves."""
    found: dict[str, str] = {}
    for folder in (folder / group for folder in (conf_folder(), own) if folder):
        files = sorted(folder.rglob("*.yaml"))
        found |= {
            file.relative_to(folder).with_suffix("").as_posix(): file.read_text("utf-8", errors="replace")
            for file in files
            if file.is_file()
        }
    whole = re.compile(r"_target_|^defaults:|@package _global_", re.MULTILINE)
    complete = [name for name, text in found.items() if whole.search(text)]
    return sorted(complete or found)


def own_choices_first() -> None:
    """Makes `hydra/launcher=joblib` mean ours: Hydra would validate ours against the schema of a plugin's choice of the
    same name."""
    for file in (conf_folder() / "hydra").glob("*/*.yaml"):
        forget_plugin_choice(file.parent.name, file.name)


def register_resolvers() -> None:
    """`${subject:choice,path,id}` is what the subject is called in names: by the choice of a dataset, or by where its
    pictures are. `${first:a,b}` is the first of its arguments that is not null and, where that is a list, the first of
    it."""
    OmegaConf.register_new_resolver("subject", _subject, replace=True)
    OmegaConf.register_new_resolver("first", _first, replace=True)


def _subject(choice: str, path: str | None, hub_id: str | None) -> str:
    """The last part of it: a name must not have folders. Some choices are of any subject."""
    place = (path or hub_id) if choice in OF_ANY_SUBJECT else None
    last = [part for part in re.split(r"[/\\]", str(place or choice)) if part not in ("", ".", "..")][-1:]
    return re.sub(r"[^\w.-]+", "_", last[0]).strip("_.-") if last else choice


def _first(*given: Any) -> Any:
    value = next((value for value in given if value is not None), None)
    return value if value is None or isinstance(value, str) else value[0]


def compose(verb: str, overrides: Sequence[str] = ()) -> DictConfig:
    """The configuration that `imprint <verb> <overrides>` runs with, for programs and notebooks."""
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = hydra_compose(verb, overrides=list(overrides), return_hydra_config=True)
        HydraConfig.instance().set_config(cfg)  # which keeps a reference to all of it
        return without_hydra(copy.deepcopy(cfg))


def without_hydra(cfg: DictConfig) -> DictConfig:
    """Removes Hydra's part from a whole configuration, in place. References to Hydra's choices are resolved;
    HydraConfig must know them."""
    with open_dict(cfg):
        if "name" in cfg:
            cfg.name = str(cfg.name)
        if OmegaConf.is_interpolation(cfg, "out") and "${hydra:" in _written(cfg, "out"):
            cfg.out = str(cfg.out)
        del cfg.hydra
    return cfg


def _written(cfg: DictConfig, key: str) -> str:
    """The value as it was given, with its references."""
    tree = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(tree, dict)
    return str(tree[key])


def resolved(cfg: DictConfig) -> dict[str, Any]:
    """Plain values, with every reference resolved. Raises UserError where one cannot be."""
    try:
        tree = OmegaConf.to_container(cfg, resolve=True)
    except InterpolationToMissingValueError as error:
        raise ConfigError(map(no_value, _missing(cfg))) from error
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key or 'The configuration'}: {error.msg or error}") from error
    assert isinstance(tree, dict)
    return {str(name): value for name, value in tree.items()}


def _missing(cfg: DictConfig, prefix: str = "") -> Iterator[str]:
    """The keys without a value. omegaconf's own `missing_keys` raises where a value refers to one."""
    for name in map(str, cfg):
        if OmegaConf.is_missing(cfg, name):
            yield f"{prefix}{name}"
        elif not OmegaConf.is_interpolation(cfg, name) and isinstance(node := cfg[name], DictConfig):
            yield from _missing(node, f"{prefix}{name}.")


def signature(identity: Mapping[str, Any]) -> str:
    """Ten hexadecimal digits of a hash of everything that changes a result."""
    text = json.dumps(identity, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
