"""Folders and what lies in them: outputs, caches, models that are at hand; logins."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from imprint.config import choices, conf_folder
from imprint.errors import UserError
from imprint.locations import OTHER_CACHE, cache_folder, local_path
from imprint.provenance.environment import folder_bytes
from imprint.verbs.doctor.findings import Finding, size

LITTLE = 2 * 2**30  # bytes of a disk: less than one model


def folders(outputs: Path) -> Iterator[Finding]:
    from huggingface_hub import constants

    yield _folder("outputs", outputs, "outputs=FOLDER means another.")
    try:
        yield _folder("imprint's cache", cache_folder(), OTHER_CACHE)
    except UserError as error:
        yield Finding("Folders", "imprint's cache", "none", "wrong", str(error))
    yield _folder("the hub's cache", Path(constants.HF_HUB_CACHE), "Set HF_HOME to a folder that can be written to.")
    if constants.HF_HUB_OFFLINE:
        remedy = "HF_HUB_OFFLINE is set: models are found in the cache alone"
        yield Finding("Folders", "the hub", "is not asked", "note", remedy)


def logins() -> Iterator[Finding]:
    """Whether there are any; nothing is sent, and nothing of them shown."""
    from huggingface_hub import get_token

    if get_token():
        yield Finding("Logins", "Hugging Face", "there is a token")
    else:
        yield Finding("Logins", "Hugging Face", "none: gated models (FLUX, SD 3) need one", "note", "hf auth login")
    if _wandb_key():
        yield Finding("Logins", "Weights & Biases", "there is a key")
    else:
        said = "none: runs are tracked offline, in their folders"
        yield Finding("Logins", "Weights & Biases", said, "note", "wandb login")


def models() -> Iterator[Finding]:
    """Which of conf/model and conf/encoder can be used without a download."""
    for group in ("model", "encoder"):
        sources = {name: source for name in choices(group) if (source := _source(group, name))}
        there = [name for name, source in sources.items() if _is_here(source)]
        missing = [name for name in sources if name not in there]
        yield Finding("Models", f"{group}: at hand", ", ".join(there) or "none")
        if missing:
            yield Finding("Models", f"{group}: on the hub", ", ".join(missing), "note")


def _folder(name: str, folder: Path, remedy: str) -> Finding:
    """One that is not there yet is judged by the next one above it."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("Folders", name, f"{folder} cannot be written to", "wrong", remedy)
    used = size(folder_bytes(folder)) if folder.is_dir() else "not there yet"
    free = shutil.disk_usage(there).free
    said = f"{folder}: {used}; {size(free)} free"
    if free < LITTLE:
        return Finding("Folders", name, said, "wrong", f"Free space. {remedy}")
    return Finding("Folders", name, said)


def _wandb_key() -> bool:
    """In the environment, or where `wandb login` writes it."""
    import netrc

    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _source(group: str, name: str) -> str | None:
    """What a file says itself, or the one that it begins with."""
    content: dict[str, Any] = yaml.safe_load((conf_folder() / group / f"{name}.yaml").read_text(encoding="utf-8")) or {}
    if isinstance(source := content.get("source"), str):
        return None if source == "???" else source
    bases = [base for base in content.get("defaults", []) if isinstance(base, str) and not base.startswith(("_", "/"))]
    return next((found for base in bases if (found := _source(group, base))), None)


def _is_here(source: str) -> bool:
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    if local_path(source) is not None:
        return True
    cached = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=source, repo_type="model") / "snapshots"
    return cached.is_dir() and any(cached.iterdir())
