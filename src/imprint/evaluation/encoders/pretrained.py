"""An encoder's files: found by hub id or path, and refused if they are of another kind, before weights are read."""

import fnmatch
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from imprint.errors import ModelNotFound, Problem, UserError
from imprint.hashing import file_hash, fingerprint
from imprint.libraries.process import quiet_model_libraries
from imprint.locations import local_path
from imprint.models.checkpoint.hub import fetch
from imprint.models.checkpoint.weights import pickles_of, read_header, safetensors_of

CONFIG = "config.json"
PIPELINE = "model_index.json"  # of a whole diffusers pipeline
INDICES = "*.index*.json"


class Pretrained(NamedTuple):
    """A model in transformers' layout, on this machine."""

    source: str
    key: str
    folder: Path
    config: Mapping[str, Any]
    weights: tuple[str, ...]
    extras: tuple[str, ...]  # other files that the features depend on

    @property
    def fingerprint(self) -> str:
        return fingerprint({name: self.folder / name for name in (CONFIG, *self.weights, *self.extras)})

    @property
    def weights_hash(self) -> str:
        """SHA-256 of the file, as the hub has it; of several, one after another."""
        return ", ".join(file_hash(self.folder / name) for name in self.weights)

    def load(self, kind: Any, **settings: Any) -> torch.nn.Module:
        """The model, float32 and frozen. Raises UserError if it cannot be read or is incomplete."""
        try:
            with quiet_model_libraries():
                model, report = kind.from_pretrained(
                    self.folder,
                    dtype=torch.float32,
                    local_files_only=True,
                    use_safetensors=self.weights[0].endswith(".safetensors"),
                    output_loading_info=True,
                    **settings,
                )
        except Exception as error:  # the library lets through whatever its readers raise
            raise self.refusal(f"the weights cannot be loaded ({error}). Get the files again.") from error
        if missing := sorted(report["missing_keys"]):
            some = ", ".join(missing[:3])
            raise self.refusal(f"{len(missing)} weights are missing ({some} ...). Get the files again.")
        assert isinstance(model, torch.nn.Module)
        return model.eval().requires_grad_(False)

    def refusal(self, remedy: str) -> UserError:
        return _refusal(self.key, self.source, remedy)


def find(
    source: str,
    revision: str | None,
    *,
    key: str,
    extras: Sequence[str],
    fault: Callable[[Mapping[str, Any]], str | None],
) -> Pretrained:
    """The files of `source`, downloaded if it is a hub id. `fault` says what is wrong with a configuration.

    Raises UserError, naming `key`: from the configuration, before any weights are downloaded or opened.
    """
    path = local_path(source)
    patterns = (CONFIG, PIPELINE, *extras)
    if path is None:
        folder = fetch(source, revision, patterns=patterns, choose=lambda names: [], key=key, variant=None)
    elif path.is_dir():
        folder = path
    else:
        raise ModelNotFound(str(Problem(key, source, f"there is no folder {path}. Give an existing one or a hub id.")))
    config = _config(folder, key, source)
    if reason := fault(config):
        raise _refusal(key, source, reason)
    if path is None:
        folder = fetch(source, revision, patterns=(*patterns, INDICES), choose=_weights, key=key, variant=None)
    names = sorted(path.name for path in folder.iterdir())
    weights = _weights(names)
    if not weights:
        raise _refusal(key, source, f"{folder} holds no weights (model.safetensors). Get the missing files.")
    for name in weights:
        if name.endswith(".safetensors"):
            read_header(folder / name, source, key=key)
    found = tuple(name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in extras))
    return Pretrained(source, key, folder, config, weights, found)


def _weights(names: Sequence[str]) -> tuple[str, ...]:
    """Pickles where there is nothing else: the library reads them without running what they say."""
    inside = [f"./{name}" for name in names]
    chosen = safetensors_of(inside, ".", None) or pickles_of(inside, ".", None)
    return tuple(name.removeprefix("./") for name in chosen)


def _config(folder: Path, key: str, source: str) -> Mapping[str, Any]:
    if (folder / PIPELINE).is_file():
        remedy = "this is a whole text-to-image pipeline. Give an encoder: a folder with a config.json of its own."
        raise _refusal(key, source, remedy)
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _refusal(key, source, f"{folder} has no {CONFIG}. Give a model in transformers' layout.") from error
    except (OSError, ValueError) as error:
        raise _refusal(key, source, f"its {CONFIG} cannot be read ({error}). Get the file again.") from error
    if not isinstance(config, Mapping):
        raise _refusal(key, source, f"its {CONFIG} is no table of settings. Get the file again.")
    return config


def _refusal(key: str, source: str, remedy: str) -> UserError:
    return UserError(str(Problem(key, source, remedy)))
