"""Adapters that only peft itself reads: a folder a part, in peft's own format."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from safetensors.torch import load_file
from torch import Tensor

from imprint.methods.adapter_layers import add_metadata, read_metadata, weights, write_weights
from imprint.methods.adapters import Adapters
from imprint.methods.usage import FROM_BASE
from imprint.models.base import Model, ModelInfo
from imprint.types import Concept

FILE = "adapter_model.safetensors"
PREFIX = "base_model.model."  # what peft's own models put before a name


class PeftFolder(Adapters):
    """The stock library's `load_lora_weights` refuses these adapters, so a result is used by merging it."""

    kind: ClassVar[str]  # what people call such adapters

    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        return (
            "from pathlib import Path\n\n"
            "from peft import PeftModel\n"
            f"{FROM_BASE}\n"
            f"# diffusers' load_lora_weights does not read {self.kind}; peft merges it into the network.\n"
            'for file in Path(folder).glob("*/adapter_config.json"):\n'
            "    part = file.parent.name\n"
            "    tuned = PeftModel.from_pretrained(getattr(pipeline, part), file.parent).merge_and_unload()\n"
            "    setattr(pipeline, part, tuned)"
        )

    def save(self, model: Model, folder: Path) -> None:
        for role in self.roles:
            own = folder / model.names.part(role)
            self._described(model, role).save_pretrained(own)
            write_weights(own / FILE, {f"{PREFIX}{name}": x for name, x in weights(model.roles[role]).items()}, {})

    def sign(self, folder: Path, origin: Mapping[str, str]) -> None:
        for file in folder.glob(f"*/{FILE}"):
            add_metadata(file, origin)

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        super().load(model, folder, scale=scale)
        self.origin = read_metadata(folder / model.names.part(self.roles[0]) / FILE)

    def _read(self, model: Model, folder: Path, role: str) -> dict[str, Tensor]:
        stored = load_file(folder / model.names.part(role) / FILE)
        return {name.removeprefix(PREFIX): tensor for name, tensor in stored.items()}
