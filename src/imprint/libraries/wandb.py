"""Weights & Biases as a guest in a long run: private, and without a trace of attempts that failed. Seen with wandb
0.31.0."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import wandb

DATA_FOLDER = "WANDB_DATA_DIR"
# Silent also means that a missing login is an error and not a question at the terminal.
QUIET: dict[str, Any] = {"silent": True, "quiet": True, "console": "off"}


def private_settings(*, start_timeout: float, finish_timeout: float) -> "wandb.Settings":
    """The command line, the environment and the repository's address may hold secrets: they are not told. `x_` marks
    settings that W&B may rename."""
    import wandb

    return wandb.Settings(
        **QUIET,
        init_timeout=start_timeout,
        login_timeout=start_timeout,
        finish_timeout=finish_timeout,
        x_disable_meta=True,
        x_save_requirements=False,
        disable_git=True,
        disable_code=True,
    )


def forget_failed_start() -> None:
    """A start that failed holds the run's id in W&B's background process; only the end of that process frees it, and of
    all others' runs with it."""
    import wandb

    wandb.teardown()


def wait_for_own_folder(folder: Path) -> None:
    """W&B names a stay's folder by the second, and would write over one of the same second."""
    while any(folder.glob(f"wandb/*run-{time.strftime('%Y%m%d_%H%M%S')}-*")):
        time.sleep(0.05)


@contextmanager
def data_in(folder: Path) -> Iterator[None]:
    """Pictures that wait for their upload lie here, unless the user said where. There is no setting for it but a
    variable, which is read at each use."""
    before = os.environ.get(DATA_FOLDER)
    os.environ.setdefault(DATA_FOLDER, str(folder))
    try:
        yield
    finally:
        if before is None:
            del os.environ[DATA_FOLDER]


def summary_of(run: "wandb.Run") -> dict[str, Any]:
    """As plain values, and without what W&B keeps there for itself, under names that begin with `_`. Once the run is
    finished, it tells nothing of it."""
    return {key: _plain(value) for key, value in dict(run.summary).items() if key[0] != "_"}


def _plain(value: Any) -> Any:
    """W&B's own mappings, which are no Mapping, as mappings."""
    return {key: _plain(value[key]) for key in value.keys()} if hasattr(value, "keys") else value  # noqa: SIM118
