"""A Stable Diffusion checkpoint as a folder in diffusers' layout."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from imprint.families.sd_checkpoint import CLASSES, Checkpoint, Parts
from imprint.families.weights import (
    PICKLE_RISK,
    pickles_of,
    read_header,
    safetensors_of,
    variants_of,
)


class PipelineFolder(Checkpoint):
    """`variant` names the set of weights that is meant, as in `diffusion_pytorch_model.fp16.safetensors`."""

    def __init__(self, source: str, folder: Path, *, variant: str | None, allow_pickle: bool) -> None:
        super().__init__(source, folder)
        self.variant = variant
        self.allow_pickle = allow_pickle

    def check(self) -> None:
        super().check()
        for path in self.weight_files().values():
            if path.suffix == ".safetensors":
                read_header(path, self.source)

    def weight_files(self) -> Mapping[str, Path]:
        return {name: self.configs / name for names in self._weights().values() for name in names}

    def read_parts(self) -> Parts:
        return Parts(**{part: self._read(part, names) for part, names in self._weights().items()})

    def choose(self, names: Sequence[str]) -> dict[str, list[str]]:
        """The weight files of each part among `names`. Raises a UserError that names every part without."""
        chosen = {
            part: safetensors_of(names, part, self.variant)
            or (pickles_of(names, part, self.variant) if self.allow_pickle else [])
            for part in CLASSES
        }
        if problems := list(self._why_missing(names, [part for part in CLASSES if not chosen[part]])):
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

    def _weights(self) -> dict[str, list[str]]:
        return self.choose([path.relative_to(self.configs).as_posix() for path in self.configs.glob("*/*")])

    def _read(self, part: str, names: Sequence[str]) -> Any:
        try:
            module, report = CLASSES[part].from_pretrained(
                self.configs / part,
                variant=self.variant,
                use_safetensors=names[0].endswith(".safetensors"),
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except Exception as error:  # the libraries let through whatever their readers raise
            raise self.refusal(f"{part} cannot be loaded ({error}). Get the files again.") from error
        if missing := sorted(report["missing_keys"]):
            some = ", ".join(missing[:3])
            raise self.refusal(f"{len(missing)} weights of {part} are missing ({some} ...). Get the files again.")
        return module
