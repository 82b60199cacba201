"""W&B: the run that a process writes to, and what its stays there know of each other."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from imprint.files import write_json
from imprint.libraries.wandb import (
    QUIET,
    data_in,
    forget_failed_start,
    private_settings,
    summary_of,
    wait_for_own_folder,
)
from imprint.reporting.tracking.settings import WandbSettings

if TYPE_CHECKING:
    import wandb

Job = Literal["train", "evaluate", "sweep"]

log = logging.getLogger(__name__)


class WandbSession:
    """Begins, or goes on with, the W&B run of this id. Its files lie in `folder`/wandb.

    Nothing here raises: without a server or a login it goes on offline, and after any other failure it stops; each is
    said once. Nothing is begun before the first `log`, `summarise` or `do`. `config` must be free of secrets.
    """

    # Those of this process that had to go offline. One that forgets its attempt would end them all.
    _stranded: ClassVar[set[int]] = set()

    def __init__(
        self,
        settings: WandbSettings,
        folder: Path,
        *,
        id: str,
        name: str,
        job: Job,
        tags: Sequence[str],
        config: Mapping[str, Any],
    ) -> None:
        assert settings.mode != "off"
        self._settings = settings
        self._folder = folder
        self._id = id
        self._name = name
        self._job = job
        self._tags = list(dict.fromkeys([*settings.tags, *tags]))
        self._config = config
        self._open: wandb.Run | None = None
        self._stays = Stays(folder / "wandb" / "stays.json")
        self._over = False

    def log(self, row: Callable[[], Mapping[str, Any]]) -> None:
        """One row of the history. It is made when W&B is there, since its media need it."""
        self.do(lambda run: run.log(dict(row())))

    def summarise(self, facts: Mapping[str, Any]) -> None:
        self.do(lambda run: run.summary.update(dict(facts)))

    def do(self, act: Callable[["wandb.Run"], object]) -> None:
        if self._over:
            return
        try:
            with data_in(self._folder / "wandb" / "data"):
                if self._open is None:
                    self._open = self._start()
                act(self._open)
        except Exception as error:
            log.warning("Weights & Biases stopped (%s). Everything else goes on.", _short(error))
            self._leave(exit_code=1)

    def finish(self, *, failed: bool = False) -> None:
        if not self._over:
            self._leave(exit_code=int(failed))

    def _leave(self, *, exit_code: int) -> None:
        self._over = True
        self._stranded.discard(id(self))
        if self._open is not None:
            with data_in(self._folder / "wandb" / "data"):
                with suppress(Exception):
                    self._note_end(self._open)
                with suppress(Exception):
                    self._open.finish(exit_code=exit_code)

    def _note_end(self, run: "wandb.Run") -> None:
        own = run.id if run.id != self._id else None
        self._stays.close(own, summary_of(run))

    def _start(self) -> "wandb.Run":
        if self._settings.mode == "online" and not self._stranded:
            try:
                return self._init("online")
            except Exception as error:
                log.warning(
                    "Weights & Biases cannot be reached or has no login (%s). This is tracked offline; "
                    "`wandb sync %s/wandb/offline-run-*` uploads it later.",
                    _short(error),
                    self._folder,
                )
                forget_failed_start()
        if self._settings.mode == "online":
            self._stranded.add(id(self))
        run = self._init("offline")
        run.summary.update(dict(self._stays.summary))
        return run

    def _init(self, mode: Literal["online", "offline"]) -> "wandb.Run":
        import wandb

        wandb.setup(wandb.Settings(**QUIET))
        self._folder.mkdir(parents=True, exist_ok=True)
        wait_for_own_folder(self._folder)
        run = wandb.init(
            project=self._settings.project,
            entity=self._settings.entity,
            group=self._settings.group,
            tags=self._tags,
            job_type=self._job,
            name=self._name,
            id=self._stays.id or self._id,
            resume="allow",
            reinit="create_new",
            dir=str(self._folder),
            config=dict(self._config),
            mode=mode,
            settings=private_settings(
                start_timeout=self._settings.start_timeout, finish_timeout=self._settings.finish_timeout
            ),
        )
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        return run


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class Stays:
    """`file` tells how the last stay ended: its summary and, where it is not the one that was asked for, the W&B run's
    id, which the agent of a W&B sweep chooses."""

    def __init__(self, file: Path) -> None:
        self._file = file
        before = self._read()
        self.id: str | None = before.get("id")
        self.summary: Mapping[str, Any] = before.get("summary", {})

    def close(self, id: str | None, summary: Mapping[str, Any]) -> None:
        write_json(self._file, {"id": id, "summary": {**self.summary, **summary}})

    def _read(self) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # the first stay, or a note that cannot be read
            return {}
        return content
