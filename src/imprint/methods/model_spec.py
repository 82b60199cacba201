"""What files of adapters and words say of themselves in the community's ModelSpec 1.0.0, which front ends show.

No date and no author: the same settings make the same bytes.
"""

import hashlib
from collections.abc import Mapping
from typing import Literal

from imprint.models.base import Model

PREFIX = "modelspec."
HASH = f"{PREFIX}hash_sha256"
PREDICTIONS = {"epsilon": "epsilon", "v_prediction": "v"}  # the specification has no word for others
OF_ORIGIN = {
    "title": "title",
    "trigger_words": "trigger_phrase",
    "resolution": "resolution",
    "license": "license",
    "merged_from": "merged_from",
}


def spec_of_model(model: Model, kind: Literal["lora", "textual-inversion"]) -> dict[str, str]:
    """What follows from the model that the file is for."""
    facts = {
        "sai_model_spec": "1.0.0",
        "architecture": f"{model.architecture}/{kind}",
        "implementation": "diffusers",
        "hash_sha256": "",  # where the file is written, all of it is known
    }
    if prediction := PREDICTIONS.get(model.process.prediction):
        facts["prediction_type"] = prediction
    return {f"{PREFIX}{name}": value for name, value in facts.items()}


def spec_of_origin(origin: Mapping[str, str]) -> dict[str, str]:
    """What follows from the run that made it."""
    return {f"{PREFIX}{theirs}": origin[ours] for ours, theirs in OF_ORIGIN.items() if ours in origin}


def hash_of_tensors(content: bytes) -> str:
    """Of the part of a safetensors file that follows its header."""
    return f"0x{hashlib.sha256(content).hexdigest()}"
