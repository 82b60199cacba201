"""The model families that the tests know: a tiny model of each, in its real format and topology.

A new family has a module tiny_NAME.py with its FAMILY, and the contracts find it there.
"""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tiny import tiny_pipeline, tiny_source
from tiny_family import TinyFamily

from imprint.models.pipeline import PipelineModel

PREFIX = "tiny_"
_modules = {
    file.stem.removeprefix(PREFIX): import_module(file.stem)
    for file in sorted(Path(__file__).parent.glob(f"{PREFIX}*.py"))
}
FAMILIES: Mapping[str, TinyFamily] = {  # by what `model=` names them by
    "sd": TinyFamily(tiny_pipeline, tiny_source),
    **{name: module.FAMILY for name, module in _modules.items() if hasattr(module, "FAMILY")},
}


def forms_of(choice: str) -> list[str]:
    """A family and, as "family/form", the other forms in which its checkpoints are found."""
    return [choice, *(f"{choice}/{form}" for form in FAMILIES[choice].forms)]


def write_tiny(name: str, folder: Path) -> Path:
    """Writes the tiny model of a family, or of a form of it."""
    choice, _, form = name.partition("/")
    own = FAMILIES[choice]
    return own.pipeline(folder, **(own.forms[form] if form else {}))


def choice_of(folder: Path) -> str:
    """What `model=` is for a pipeline's folder."""
    return _of_class([json.loads((folder / "model_index.json").read_text(encoding="utf-8"))["_class_name"]])


def drawing_of(pipeline: Any) -> Mapping[str, Any]:
    """What one of the library's pipelines must be told besides."""
    return _family_of(pipeline).drawing


def mend(pipeline: Any) -> None:
    """Puts right what one of the library's pipelines does wrong."""
    if (mending := _family_of(pipeline).mending) is not None:
        mending(pipeline)


def _family_of(pipeline: Any) -> TinyFamily:
    return FAMILIES[_of_class([kind.__name__ for kind in type(pipeline).__mro__])]


def _of_class(pipelines: Sequence[str]) -> str:
    return next(choice for choice, own in FAMILIES.items() if own.source(".").layout.pipeline in pipelines)


def load_tiny(folder: Path) -> PipelineModel:
    """The model of a pipeline folder, as a run loads it."""
    return FAMILIES[choice_of(folder)].source(folder).load()
