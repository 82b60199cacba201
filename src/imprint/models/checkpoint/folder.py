"""A checkpoint as a folder in diffusers' layout."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from imprint.models.checkpoint.base import Checkpoint
from imprint.models.checkpoint.layout import Layout, Part
from imprint.models.checkpoint.weights import (
    PICKLE_RISK,
    pickles_of,
    read_header,
    safetensors_of,
    single_type,
    variants_of,
)


class PipelineFolder(Checkpoint):
    """`variant` chooses a set of weights, as in `diffusion_pytorch_model.fp16.safetensors`."""

    def __init__(self, layout: Layout, source: str, folder: Path, *, variant: str | None, allow_pickle: bool) -> None:
        super().__init__(layout, source, folder)
        self.variant = variant
        self.allow_pickle = allow_pickle

    def check(self) -> None:
        super().check()
        for path in self.weight_files().values():
            if path.suffix == ".safetensors":
                read_header(path, self.source)

    def weight_files(self) -> Mapping[str, Path]:
        return self.weight_files_of(self.layout.parts)

    def weight_files_of(self, parts: Sequence[Part]) -> Mapping[str, Path]:
        return {name: self.configs / name for names in self._weights(parts).values() for name in names}

    def read_parts(self, names: Collection[str], dtype: torch.dtype) -> dict[str, nn.Module]:
        parts = [part for part in self.layout.parts if part.name in names]
        files = self._weights(parts)
        return {part.name: self._read(part, files[part.name], dtype) for part in parts}

    def mapped_type(self, part: str) -> torch.dtype | None:
        [own] = (each for each in self.layout.parts if each.name == part)
        files = [self.configs / name for name in self._weights([own])[part]]
        if any(file.suffix != ".safetensors" for file in files):
            return None
        return single_type(stored for file in files for stored in read_header(file, self.source).values())

    def stored_tensors(self, part: str, names: Collection[str]) -> Mapping[str, Tensor]:
        found: dict[str, Tensor] = {}
        [own] = (each for each in self.layout.parts if each.name == part)
        for name in self._weights([own])[part]:
            if name.endswith(".safetensors"):
                with safe_open(self.configs / name, framework="pt") as file:
                    found |= {key: file.get_tensor(key) for key in set(names) & set(file.keys())}
        return found

    def choose(self, names: Sequence[str], parts: Sequence[Part]) -> dict[str, list[str]]:
        """The weight files of each part among `names`. Raises a UserError that names every part without."""
        chosen = {
            part.name: safetensors_of(names, part.name, self.variant)
            or (pickles_of(names, part.name, self.variant) if self.allow_pickle else [])
            for part in parts
        }
        if problems := list(self._why_missing(names, [part for part, files in chosen.items() if not files])):
            raise self.refusal(*problems)
        return chosen

    def _why_missing(self, names: Sequence[str], parts: Sequence[str]) -> Iterator[str]:
        pickled = [part for part in parts if pickles_of(names, part, self.variant)]
        absent = [part for part in parts if part not in pickled]
        variants = sorted({variant or "null" for part in absent for variant in variants_of(names, part)})
        if pickled:
            yield f"the weights of {', '.join(pickled)} are only there as pickle files: {PICKLE_RISK}."
        if variants:
            yield (
                f"there are no weights of {', '.join(absent)} in the variant {self.variant or 'null'}. "
                f"Set model.variant to one of: {', '.join(variants)}."
            )
        elif absent:
            yield f"{self.configs} holds no weights of {', '.join(absent)}. Get the missing files."

    def _weights(self, parts: Sequence[Part]) -> dict[str, list[str]]:
        return self.choose([path.relative_to(self.configs).as_posix() for path in self.configs.glob("*/*")], parts)

    def _read(self, part: Part, names: Sequence[str], dtype: torch.dtype) -> nn.Module:
        module: nn.Module
        report: dict[str, Any]
        try:
            module, report = part.type.from_pretrained(
                self.configs / part.name,
                variant=self.variant,
                use_safetensors=names[0].endswith(".safetensors"),
                local_files_only=True,
                dtype=dtype,
                output_loading_info=True,
            )
        except Exception as error:  # the libraries let their readers' errors through, of any type
            raise self.refusal(f"{part.name} cannot be loaded ({error}). Get the files again.") from error
        if missing := sorted(report["missing_keys"]):
            some = ", ".join(missing[:3])
            raise self.refusal(f"{len(missing)} weights of {part.name} are missing ({some} ...). Get the files again.")
        return module
