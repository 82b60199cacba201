"""Weights & Biases without private information, and without remains of failed starts. Tested with wandb 0.31.0."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import wandb

DATA_FOLDER, CACHE_FOLDER = "WANDB_DATA_DIR", "WANDB_CACHE_DIR"
ERROR_REPORTS = "WANDB_ERROR_REPORTING"
# Silent also means that a missing login is an error and not a question at the terminal.
QUIET: dict[str, Any] = {"silent": True, "quiet": True, "console": "off"}


def private_settings(*, start_timeout: float, finish_timeout: float) -> "wandb.Settings":
    """Does not send the command line, the environment and the repository's address, which may contain secrets. W&B may
    rename settings that begin with `x_`."""
    import wandb

    return wandb.Settings(
        **QUIET,
        init_timeout=start_timeout,
        login_timeout=start_timeout,
        finish_timeout=finish_timeout,
        finish_timeout_raises=True,
        x_disable_meta=True,
        x_save_requirements=False,
        disable_git=True,
        disable_code=True,
    )


def forget_failed_start() -> None:
    """After a failed start, W&B's background process keeps the run's id. Only its end frees the id; it ends all other
    runs of this process, too."""
    import wandb

    wandb.teardown()


def send_no_error_reports() -> None:
    """Unless the user has asked for them: W&B sends stack traces of its own errors to its server and, where that does
    not answer, waits for it for half a minute when the program ends. Read when wandb is imported, from the environment
    alone."""
    os.environ.setdefault(ERROR_REPORTS, "false")


def do_not_wait_at_exit() -> None:
    """When this program ends, W&B waits once more for its background process, half a minute and more, and no setting
    changes that. Left to itself, that process writes what it has to the run's folder and ends."""
    import wandb

    connection = getattr(wandb.setup(), "_connection", None)
    if connection is not None and connection._cleanup is not None:
        connection._cleanup()  # W&B's own, which takes back that it wants to be called at the end


def wait_for_own_folder(folder: Path) -> None:
    """W&B names a session's folder by the second, and would overwrite one of the same second."""
    while any(folder.glob(f"wandb/*run-{time.strftime('%Y%m%d_%H%M%S')}-*")):
        time.sleep(0.05)


@contextmanager
def data_in(folder: Path) -> Iterator[None]:
    """Pictures that wait for their upload are stored here, unless the user has set another folder. Where the
    environment names no home, so is W&B's own log, which its background process would write to the terminal. The only
    settings are environment variables, which are read at each use."""
    own = {DATA_FOLDER: str(folder)}
    if not os.environ.get("HOME") and not os.environ.get("XDG_CACHE_HOME"):
        own[CACHE_FOLDER] = str(folder / "cache")
    new = {name: value for name, value in own.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            del os.environ[name]


def summary_of(run: "wandb.Run") -> dict[str, Any]:
    """As plain values, without W&B's own, whose names begin with `_`. It cannot be read once the run is finished."""
    return {key: _plain(value) for key, value in dict(run.summary).items() if key[0] != "_"}


def _plain(value: Any) -> Any:
    """W&B's own mappings, which are not instances of Mapping, as mappings."""
    return {key: _plain(value[key]) for key in value.keys()} if hasattr(value, "keys") else value  # noqa: SIM118
