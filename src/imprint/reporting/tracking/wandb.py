"""A training at Weights & Biases: configuration, curves, pictures, facts, the result."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytorch_lightning.utilities import rank_zero_only

from imprint.provenance.environment import file_bytes
from imprint.reporting.tracking.loggers import SampleRow, Tracker
from imprint.reporting.tracking.naming import display_name, grouped, plain_scores
from imprint.reporting.tracking.session import WandbSession, WandbSettings, tags_of
from imprint.runs import Run

if TYPE_CHECKING:
    import wandb

UNSAFE = re.compile(r"[^\w ,.()\[\]-]+")  # keys become names of files
LONGEST_KEY = 80  # letters of a prompt


class WandbTracker(Tracker):
    """Logs to the W&B run whose id is the run's signature, so that a resumed run continues it. Nothing here raises."""

    def __init__(self, settings: WandbSettings, run: Run, *, name: str, config: Mapping[str, Any]) -> None:
        super().__init__()
        self._settings = settings
        self._run = run
        self._name = name
        self._session = WandbSession(
            settings,
            run.folder,
            id=run.signature,
            name=display_name(run, name),
            job="train",
            tags=tags_of(config),
            config=grouped(config),
        )

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
        self._session.log(lambda: {**metrics, **plain_scores(metrics), "step": step})

    @rank_zero_only
    def log_samples(self, step: int, rows: Sequence[SampleRow]) -> None:
        self._session.log(lambda: {"samples": _table(step, rows), **_media(rows), "step": step})

    @rank_zero_only
    def log_summary(self, facts: Mapping[str, Any]) -> None:
        self._session.summarise(facts)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """After a successful training the result is still to be written; `conclude` follows that."""
        if status != "success":
            self._session.finish(failed=True)

    @rank_zero_only
    def conclude(self, run: Run | None) -> None:
        if run is not None:
            self._session.do(lambda open_: self._log_result(open_, run))
        self._session.finish(failed=run is None)

    def _log_result(self, open_: "wandb.Run", run: Run) -> None:
        artifact = result_artifact(run, self._settings.max_artifact_bytes)
        open_.summary.update({"result_bytes": artifact.metadata["bytes"], **_parameters(run)})
        open_.log_artifact(artifact, aliases=["latest", "final"])


def wandb_tracker(settings: WandbSettings, run: Run, *, name: str, config: Mapping[str, Any]) -> WandbTracker | None:
    return None if settings.mode == "off" else WandbTracker(settings, run, name=name, config=config)


def _parameters(run: Run) -> dict[str, int]:
    trained = run.read().trained_parameters
    return {"trained_parameters": sum(trained.values())} if trained else {}


def _table(step: int, rows: Sequence[SampleRow]) -> "wandb.Table":
    import wandb

    def picture(path: Path | None) -> "wandb.Image | None":
        return None if path is None else wandb.Image(str(path))

    data = [[step, row.prompt, row.seed, picture(row.picture), picture(row.untuned)] for row in rows]
    return wandb.Table(columns=["step", "prompt", "seed", "picture", "untuned"], data=data)


def _media(rows: Sequence[SampleRow]) -> dict[str, "list[wandb.Image]"]:
    """The pictures of each prompt, for W&B's slider over steps."""
    import wandb

    found: dict[str, list[wandb.Image]] = {}
    for row in rows:
        key = f"samples/{UNSAFE.sub('_', row.prompt)[:LONGEST_KEY]}"
        found.setdefault(key, []).append(wandb.Image(str(row.picture), caption=f"{row.prompt}, seed {row.seed}"))
    return found


def result_artifact(run: Run, max_bytes: int) -> "wandb.Artifact":
    """With every file's size. A result of at most `max_bytes` is uploaded from its folder; of a larger one the files
    are referenced by place and hash."""
    import wandb

    files = file_bytes(run.result)
    count = sum(files.values())
    uploaded = count <= max_bytes
    artifact = wandb.Artifact(
        f"result-{run.signature}",
        type="model",
        description=f"What {run.folder.name} learned.",
        metadata={"bytes": count, "files": files, "uploaded": uploaded, "folder": str(run.result)},
    )
    if uploaded:
        artifact.add_dir(str(run.result), policy="immutable", skip_cache=True)
    else:
        for name in files:
            artifact.add_reference((run.result / name).resolve().as_uri(), name=name)
    return artifact
