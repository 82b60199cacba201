"""Getting what a model needs from the hub, or from its cache when the hub cannot be reached."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from imprint.errors import ModelNotFound


def fetch(
    repository: str,
    revision: str | None,
    *,
    patterns: Sequence[str],
    choose: Callable[[Sequence[str]], Sequence[str]],
    key: str,
    variant: str | None,
) -> Path:
    """The local folder with the files that match `patterns`, and those that `choose` selects.

    `choose` is given all names in the repository or, offline, in the cache. Raises ModelNotFound with what was looked
    for.
    """
    try:
        folder = _snapshot(repository, revision, patterns)
        chosen = choose(_names(repository, folder))
        return _snapshot(repository, folder.name, [*patterns, *chosen])
    except (HFValidationError, HfHubHTTPError, OSError) as error:
        raise ModelNotFound(
            f"{key}={repository!r}: {_reason(error, repository, key)}. Looked for id {repository}, revision "
            f"{revision or 'main'}, variant {variant or 'none'}, in the hub and in the cache {constants.HF_HUB_CACHE}. "
            f"To use a model on this machine, give its folder or file: {key}=/path/to/model."
        ) from error


def _snapshot(repository: str, revision: str | None, patterns: Sequence[str]) -> Path:
    wanted = partial(snapshot_download, repository, revision=revision, allow_patterns=list(patterns))
    try:
        return Path(wanted())
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError):
        raise
    except Exception:  # offline, the HTTP library raises errors of any type: use the cache
        return Path(wanted(local_files_only=True))


def _names(repository: str, snapshot: Path) -> list[str]:
    """The files of the repository at the snapshot's commit."""
    try:
        return HfApi().list_repo_files(repository, revision=snapshot.name)
    except Exception:  # as above
        return [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()]


def _reason(error: Exception, repository: str, key: str) -> str:
    if isinstance(error, GatedRepoError):
        return (
            f"its owner grants access one by one. Accept the terms at https://huggingface.co/{repository}, "
            "then log in with `hf auth login`"
        )
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such model, or it is private. Check the spelling; log in with `hf auth login`"
    if isinstance(error, RevisionNotFoundError):
        return f"the model has no such revision. Check {key.rpartition('.')[0]}.revision"
    if isinstance(error, HFValidationError):
        return f"this is neither a path on this machine nor a hub id ({error})"
    return "it is not in the cache, and the hub cannot be reached"
