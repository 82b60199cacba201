"""Reads the adapter that is in effect while a distilled model trains, from a file by any program."""

from collections.abc import Mapping
from pathlib import Path

from torch import nn

from imprint.errors import Problem, UserError
from imprint.models.base import ModelSource
from imprint.models.roles import DENOISER
from imprint.models.training_adapter import TrainingAdapter, Update
from imprint.results.external_lora import Adapters, read_external


def read_training_adapter(source: ModelSource) -> TrainingAdapter | None:
    """None where the model trains as it is. Cheap. Raises UserError for a file that does not fit the model."""
    file = source.training_adapter_file()
    if file is None:
        return None
    meta = source.meta_model()
    try:
        content = read_external(file, meta, partial=False)
    except UserError as error:
        raise UserError(str(error).replace("files=", "model.training_adapter=")) from error
    if not isinstance(content, Adapters) or set(content.updates) != {DENOISER}:
        raise _refusal(file, "it is not a LoRA of the denoiser alone.")
    layers = content.updates[DENOISER]
    if others := _not_linear(meta.roles[DENOISER], layers):
        raise _refusal(file, f"{len(others)} of its layers are not linear ({others[0]}).")
    return TrainingAdapter({name: Update(own.up_OR, own.down_RI) for name, own in layers.items()})


def _not_linear(denoiser: nn.Module, layers: Mapping[str, object]) -> list[str]:
    return [name for name in layers if not isinstance(denoiser.get_submodule(name), nn.Linear)]


def _refusal(file: Path, reason: str) -> UserError:
    remedy = f"{reason} Give a training adapter of this very model, or null."
    return UserError(str(Problem("model.training_adapter", str(file), remedy)))
