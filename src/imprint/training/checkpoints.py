"""A run's checkpoint, read: whole, and of the kind that imprint writes, or refused in one line."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, TypeAdapter
from torch import Tensor

from imprint.file_contents import DAMAGED, Count, refuse, typed

REMEDY = "Delete it: the run then begins anew."


class Content(BaseModel):
    """What a run goes on from. Lightning has more in it."""

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)

    state_dict: dict[str, Tensor]
    optimizer_states: list[dict[str, Any]]
    lr_schedulers: list[dict[str, Any]]
    global_step: Count
    epoch: Count
    loops: dict[str, Any]
    callbacks: dict[str, Any]


CONTENT = TypeAdapter(Content)


def check_whole(file: Path) -> None:
    """Cheap, before a model is loaded. Raises UserError for a file that was cut off, or is something else."""
    if not file.is_file() or not zipfile.is_zipfile(file):
        refuse(file, DAMAGED, REMEDY)


def read_checkpoint(file: Path, place: Any, *, mapped: bool) -> dict[str, Any]:
    """Nothing in it is run. Raises UserError as `check_whole`. Where it is `mapped`, a tensor is in memory when it is
    used, and not before."""
    try:
        content = torch.load(file, map_location=place, weights_only=True, mmap=mapped)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # whatever a damaged or hostile file makes the reader raise
        refuse(file, DAMAGED, REMEDY, error)
    typed(CONTENT, content, file, REMEDY)
    return dict(content)
