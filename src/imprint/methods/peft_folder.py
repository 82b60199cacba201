"""Adapters that only peft itself reads: a folder a part, in peft's own format."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from safetensors.torch import load_file
from torch import Tensor

from imprint.families.base import Facts, Family
from imprint.methods.adapter_layers import add_metadata, read_metadata, weights, write_weights
from imprint.methods.adapters import Adapters
from imprint.methods.usage import FROM_BASE
from imprint.types import Concept

FILE = "adapter_model.safetensors"
PREFIX = "base_model.model."  # what peft's own models put before a name


class PeftFolder(Adapters):
    """The stock library's `load_lora_weights` refuses these adapters, so a result is used by merging it."""

    kind: ClassVar[str]  # what people call such adapters

    def loading(self, concepts: Sequence[Concept], facts: Facts) -> str:
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

    def save(self, family: Family, folder: Path) -> None:
        for role in self.roles:
            own = folder / family.names.part(role)
            self._described(family, role).save_pretrained(own)
            write_weights(own / FILE, {f"{PREFIX}{name}": x for name, x in weights(family.roles[role]).items()}, {})

    def sign(self, folder: Path, origin: Mapping[str, str]) -> None:
        for file in folder.glob(f"*/{FILE}"):
            add_metadata(file, origin)

    def load(self, family: Family, folder: Path, *, scale: Mapping[str, float]) -> None:
        super().load(family, folder, scale=scale)
        self.origin = read_metadata(folder / family.names.part(self.roles[0]) / FILE)

    def _read(self, family: Family, folder: Path, role: str) -> dict[str, Tensor]:
        stored = load_file(folder / family.names.part(role) / FILE)
        return {name.removeprefix(PREFIX): tensor for name, tensor in stored.items()}
