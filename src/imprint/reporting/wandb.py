"""Weights & Biases: a guest that may be late, rude or absent without the training noticing."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import PositiveInt
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from imprint.runs import Run

if TYPE_CHECKING:
    import wandb

DATA_FOLDER = "WANDB_DATA_DIR"

log = logging.getLogger(__name__)


class WandbSettings(NamedTuple):
    mode: Literal["online", "offline", "off"]
    project: str
    entity: str | None
    group: str | None
    tags: list[str]
    start_timeout: PositiveInt  # seconds that the server is waited for before going on offline
    finish_timeout: PositiveInt  # seconds that the last uploads may take; `wandb sync` brings what is missing


class SampleRow(NamedTuple):
    """One picture of the sampling protocol, and the untuned model's beside it."""

    prompt: str
    seed: int
    picture: Path
    untuned: Path | None


class WandbTracker(Logger):
    """Logs to the W&B run whose id is the run's signature, so that a resumed run continues it.

    Nothing here raises: without a server or a login it goes on offline, and after any other failure it stops
    logging; each is said once. The first call starts the W&B run. `config` must be free of secrets.
    """

    def __init__(self, settings: WandbSettings, run: Run, *, name: str, config: Mapping[str, Any]) -> None:
        super().__init__()
        assert settings.mode != "off"
        self._settings = settings
        self._run = run
        self._name = name
        self._config = config
        self._open: wandb.Run | None = None
        self._over = False

    @property
    def name(self) -> str:
        return self._name

    @property
    def version(self) -> str:
        return self._run.signature

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration is given when the W&B run starts."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._guarded(lambda run: run.log({**metrics, "step": step}))

    @rank_zero_only
    def log_samples(self, step: int, rows: Sequence[SampleRow]) -> None:
        self._guarded(lambda run: run.log({"samples": _table(step, rows), "step": step}))

    @rank_zero_only
    def log_summary(self, facts: Mapping[str, Any]) -> None:
        self._guarded(lambda run: run.summary.update(dict(facts)))

    @rank_zero_only
    def finalize(self, status: str) -> None:
        if self._open is not None:
            self._guarded(lambda run: run.finish(exit_code=0 if status == "success" else 1))
        self._over = True

    def _guarded(self, act: Callable[["wandb.Run"], object]) -> None:
        if self._over:
            return
        try:
            with _data_in(self._run.folder / "wandb" / "data"):
                if self._open is None:
                    self._open = self._start()
                act(self._open)
        except Exception as error:
            self._over = True
            log.warning("Weights & Biases stopped (%s). Training and the local files go on.", _short(error))

    def _start(self) -> "wandb.Run":
        if self._settings.mode == "online":
            try:
                return self._init("online")
            except Exception as error:
                log.warning(
                    "Weights & Biases cannot be reached or has no login (%s). This run is tracked offline; "
                    "`wandb sync %s/wandb/offline-run-*` uploads it later.",
                    _short(error),
                    self._run.folder,
                )
                self._forget_attempt()
        return self._init("offline")

    @staticmethod
    def _forget_attempt() -> None:
        """The failed start still holds the run's id in W&B's background process."""
        import wandb

        wandb.teardown()

    def _init(self, mode: Literal["online", "offline"]) -> "wandb.Run":
        import wandb

        # Silent also means that a missing login is an error and not a question at the terminal.
        quiet: dict[str, Any] = {"silent": True, "quiet": True, "console": "off"}
        wandb.setup(wandb.Settings(**quiet))
        self._run.folder.mkdir(parents=True, exist_ok=True)
        run = wandb.init(
            project=self._settings.project,
            entity=self._settings.entity,
            group=self._settings.group,
            tags=self._settings.tags,
            job_type="train",
            name=self._name,
            id=self._run.signature,
            resume="allow",
            reinit="create_new",
            dir=str(self._run.folder),
            config=dict(self._config),
            mode=mode,
            settings=wandb.Settings(
                **quiet,
                init_timeout=self._settings.start_timeout,
                login_timeout=self._settings.start_timeout,
                finish_timeout=self._settings.finish_timeout,
                # The command line, the environment and the repository's address may hold secrets.
                x_disable_meta=True,
                x_save_requirements=False,
                disable_git=True,
                disable_code=True,
            ),
        )
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        return run


def wandb_logger(settings: WandbSettings, run: Run, *, name: str, config: Mapping[str, Any]) -> WandbTracker | None:
    return None if settings.mode == "off" else WandbTracker(settings, run, name=name, config=config)


@contextmanager
def _data_in(folder: Path) -> Iterator[None]:
    """Pictures that wait for their upload lie in the run's folder. W&B has no setting for it."""
    before = os.environ.get(DATA_FOLDER)
    os.environ.setdefault(DATA_FOLDER, str(folder))
    try:
        yield
    finally:
        if before is None:
            del os.environ[DATA_FOLDER]


def _table(step: int, rows: Sequence[SampleRow]) -> "wandb.Table":
    import wandb

    def picture(path: Path | None) -> "wandb.Image | None":
        return None if path is None else wandb.Image(str(path))

    table = wandb.Table(columns=["step", "prompt", "seed", "picture", "untuned"])
    for row in rows:
        table.add_data(step, row.prompt, row.seed, picture(row.picture), picture(row.untuned))
    return table


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
