"""How runs are told to Weights & Biases."""

import logging
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from imprint.kinds import label_of
from imprint.runs import Run

log = logging.getLogger(__name__)


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
    """Those that the run was trained with; None where it was not to be tracked, or its manifest does not say."""
    given = run.read().config.report.get("wandb")
    if not isinstance(given, Mapping):
        return None
    try:
        # References to the environment lie unresolved in a manifest. A run of before has no limit: nothing is uploaded.
        known = OmegaConf.to_container(OmegaConf.create({"max_artifact_bytes": 0, **given}), resolve=True)
        settings: WandbSettings = TypeAdapter(WandbSettings).validate_python(known)
    except (OmegaConfBaseException, ValidationError) as error:
        log.warning("%s: its settings for Weights & Biases cannot be read (%s).", run.folder.name, _first_line(error))
        return None
    return None if settings.mode == "off" else settings


def chosen(config: Mapping[str, Any]) -> list[str]:
    """What a run is made of, as tags: its method, its model, its data set."""
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


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
