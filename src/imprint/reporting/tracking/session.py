"""Weights & Biases: the settings, and the W&B run that a process writes to."""

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, NonNegativeInt, PositiveInt, StringConstraints, TypeAdapter

from imprint.errors import UserError
from imprint.file_contents import read_json, typed
from imprint.files import write_json
from imprint.kinds import label_of
from imprint.libraries.wandb import (
    QUIET,
    data_in,
    do_not_wait_at_exit,
    forget_failed_start,
    private_settings,
    send_no_error_reports,
    summary_of,
    wait_for_own_folder,
)
from imprint.reporting.redaction import without_secrets
from imprint.runs import Run

if TYPE_CHECKING:
    import wandb

SILENCE = 2.0  # seconds of waiting before it is said

Job = Literal["train", "evaluate", "sweep", "study"]

log = logging.getLogger(__name__)

ENVIRONMENT = re.compile(r"\$\{\s*oc\.env\s*:\s*(?P<name>\w+)\s*(,\s*(?P<default>[^${}]*?)\s*)?\}")
# Variables that W&B itself reads for what a manifest may refer to. None of them holds a secret.
READABLE = frozenset({"WANDB_PROJECT", "WANDB_ENTITY", "WANDB_RUN_GROUP", "WANDB_MODE", "WANDB_TAGS"})


class WandbSettings(NamedTuple):
    mode: Literal["online", "offline", "off"]
    project: str
    entity: str | None
    group: str | None
    tags: list[str]
    start_timeout: PositiveInt  # seconds that the server is waited for before going on offline
    finish_timeout: PositiveInt  # seconds that the last uploads may take; `wandb sync` brings what is missing
    max_artifact_bytes: NonNegativeInt  # larger results are named, with sizes and hashes, and not uploaded


def settings_of(run: Run) -> WandbSettings | None:
    """Those that the run was trained with; None where it was not tracked, or its manifest does not name them. The run
    may be somebody else's: of the environment, no more is read for it than W&B reads by itself."""
    given = settings_written(run)
    if given is None:
        return None
    try:
        # An older run has no limit: nothing is uploaded.
        known = {"max_artifact_bytes": 0, **{name: _read(value) for name, value in given.items()}}
        settings: WandbSettings = TypeAdapter(WandbSettings).validate_python(known)
    except ValueError as error:
        log.warning("%s: its settings for Weights & Biases cannot be read (%s).", run.folder.name, first_line(error))
        return None
    return settings


def settings_written(run: Run) -> Mapping[str, Any] | None:
    """Those that the run was trained with, as its manifest has them; None where it was not tracked."""
    given = run.read().config.report.get("wandb")
    return given if isinstance(given, Mapping) and given.get("mode") != "off" else None


def _read(value: Any) -> Any:
    """A value of a manifest, where references to the environment stand as they were written. Raises ValueError for one
    that names another variable than W&B's own."""
    if isinstance(value, list):
        return [_read(each) for each in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    reference = ENVIRONMENT.fullmatch(value)
    if reference is None or reference["name"] not in READABLE:
        raise ValueError(f"{value} is not read for a run's folder; say where to log with report=online or default")
    held = os.environ.get(reference["name"], reference["default"])
    return None if held == "null" else held


def tags_of(config: Mapping[str, Any]) -> list[str]:
    """A run's method, model and data set, as tags."""
    dataset, model = config.get("dataset", {}), config.get("model", {})
    subject = dataset.get("subject")
    known = (
        label_of(config.get("method", {})),
        _leaf(model.get("source")),
        subject if subject not in (None, "auto") else _leaf(dataset.get("path") or dataset.get("id")),
    )
    return [tag for tag in known if tag]


def _leaf(place: object) -> str:
    """The last part of a hub id or a path. The built-in model is called by its package."""
    text = str(place or "").rstrip("/")
    if text.startswith("pkg://") and text.endswith("/weights"):
        text = text.removesuffix("/weights").replace(".", "/")
    return text.rpartition("/")[2].removesuffix(".safetensors")[:64]  # W&B takes no longer tag


class WandbSession:
    """Begins, or resumes, the W&B run of this id. Its files lie in `folder`/wandb.

    Nothing here raises: without a server or a login it goes on offline, and after any other failure it stops; each is
    logged once. Nothing is begun before the first `log`, `summarise` or `do`. What it is called and configured with is
    sent without secrets, also where older releases have written them into a run's folder.
    """

    # Sessions of this process that had to go offline. While there are any, none tries to go online: forgetting a failed
    # start would end them all.
    _offline_sessions: ClassVar[set[int]] = set()

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
        self._name: str = without_secrets(name)
        self._job = job
        self._tags = list(dict.fromkeys(without_secrets([*settings.tags, *tags])))
        self._config: dict[str, Any] = without_secrets(dict(config))
        self._run: wandb.Run | None = None
        self._previous = PreviousSession(folder / "wandb" / "stays.json")
        self._is_finished = False

    def log(self, row: Callable[[], Mapping[str, Any]]) -> None:
        """One row of the history. It is made when W&B has started, since its media need that."""
        self.do(lambda run: run.log(dict(row())))

    def summarise(self, facts: Mapping[str, Any]) -> None:
        self.do(lambda run: run.summary.update(dict(facts)))

    def do(self, act: Callable[["wandb.Run"], object]) -> None:
        if self._is_finished:
            return
        try:
            with data_in(self._folder / "wandb" / "data"):
                if self._run is None:
                    self._run = self._start()
                act(self._run)
        except Exception as error:
            log.warning("Weights & Biases stopped (%s). Everything else goes on.", first_line(error))
            self._end(exit_code=1)

    def finish(self, *, failed: bool = False) -> None:
        if not self._is_finished:
            self._end(exit_code=int(failed))

    def _end(self, *, exit_code: int) -> None:
        self._is_finished = True
        self._offline_sessions.discard(id(self))
        if self._run is not None:
            with data_in(self._folder / "wandb" / "data"):
                with suppress(Exception):
                    other_id = self._run.id if self._run.id != self._id else None
                    self._previous.save(other_id, summary_of(self._run))
                self._finish(self._run, exit_code)

    def _finish(self, run: "wandb.Run", exit_code: int) -> None:
        seconds = self._settings.finish_timeout
        waiting = Timer(
            SILENCE, log.info, ["Weights & Biases: waiting for the last uploads, at most %d s in all.", seconds]
        )
        waiting.daemon = True
        waiting.start()
        try:
            run.finish(exit_code=exit_code)
        except TimeoutError:
            log.warning(
                "Weights & Biases did not take everything within %d s (report.wandb.finish_timeout). "
                "`wandb sync %s/wandb/*run-*-%s` uploads the rest.",
                seconds,
                self._folder,
                run.id,
            )
            do_not_wait_at_exit()
        except Exception as error:
            log.debug("Weights & Biases: %s", error)
        finally:
            waiting.cancel()

    def _start(self) -> "wandb.Run":
        if self._settings.mode == "online" and not self._offline_sessions:
            try:
                return self._init("online")
            except Exception as error:
                log.warning(
                    "Weights & Biases cannot be reached or has no login (%s). This is tracked offline; "
                    "`wandb sync %s/wandb/offline-run-*` uploads it later.",
                    first_line(error),
                    self._folder,
                )
                forget_failed_start()
        if self._settings.mode == "online":
            self._offline_sessions.add(id(self))
        run = self._init("offline")
        run.summary.update(dict(self._previous.summary))
        return run

    def _init(self, mode: Literal["online", "offline"]) -> "wandb.Run":
        send_no_error_reports()
        import wandb

        wandb.setup(wandb.Settings(**QUIET))
        self._folder.mkdir(parents=True, exist_ok=True)
        wait_for_own_folder(self._folder)
        run = wandb.init(
            project=self._settings.project,
            entity=self._settings.entity,
            group=without_secrets(self._settings.group),
            tags=self._tags,
            job_type=self._job,
            name=self._name,
            id=self._previous.id or self._id,
            resume="allow",
            reinit="create_new",
            dir=str(self._folder),
            config=self._config,
            mode=mode,
            settings=private_settings(
                start_timeout=self._settings.start_timeout, finish_timeout=self._settings.finish_timeout
            ),
        )
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        return run


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


class Previous(BaseModel):
    """What the file of a previous session says."""

    id: Annotated[str, StringConstraints(pattern=r"^[\w.-]{1,128}$")] | None = None
    summary: dict[str, Any] = {}


PREVIOUS = TypeAdapter(Previous)


class PreviousSession:
    """How the last session of a W&B run ended, as `file` says: its summary and, where it differs from the id that was
    given, the W&B run's id, which the agent of a W&B sweep chooses."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            known = typed(PREVIOUS, read_json(file, ""), file, "")
        except (FileNotFoundError, UserError):  # the first session, or a file that cannot be read
            known = Previous()
        self.id = known.id
        self.summary = known.summary

    def save(self, id: str | None, summary: Mapping[str, Any]) -> None:
        write_json(self._file, {"id": id, "summary": {**self.summary, **summary}})
