"""A checkpoint whose denoiser is in one file, as transformers are shared: alone, or with other parts beside it.

What the file does not hold is in a pipeline's folder. The denoiser's weights have the original program's names or the
library's, and may be stored in eight bits.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from imprint.errors import Problem, UserError
from imprint.files import write_atomically
from imprint.models.checkpoint.base import Checkpoint
from imprint.models.checkpoint.folder import PipelineFolder
from imprint.models.checkpoint.layout import Layout, NetworkFormat, Part
from imprint.models.checkpoint.original_names import Joined, join, split
from imprint.models.checkpoint.recognition import others_of
from imprint.models.checkpoint.weights import Stored, read_header, single_type
from imprint.models.finite import check_finite

SAFE = ".safetensors"
QUANTISED = ".gguf"
PREFIXES = ("model.diffusion_model.", "diffusion_model.", "transformer.", "")  # of a denoiser's names
OTHER_PARTS = ("vae.", "first_stage_model.", "text_encoders.")  # what checkpoints for ComfyUI hold beside the denoiser
READABLE = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}
SCALES = (".scale_weight", ".weight_scale")  # what a layer's eight-bit weights are multiplied by, in ComfyUI's files
ADAPTERS = (".lora_", "lora_unet", ".lokr_", ".hada_")
PROJECTION = "text_projection.weight"  # of a text encoder
BESIDE = (*SCALES, ".scale_input", ".input_scale", ".comfy_quant", "scaled_fp8")  # nothing of them is a weight


class Found(NamedTuple):
    """The denoiser in a file: how its names begin, and the weights of the file with those of ours in each."""

    prefix: str
    weights: Sequence[Joined]


def read_network(layout: Layout, path: Path, source: str) -> Mapping[str, Stored]:
    """What a denoiser's file holds. Raises UserError for files of other kinds."""
    if path.suffix == QUANTISED:
        raise _refusal(
            source,
            "GGUF files hold weights that were quantised to draw with. Give the same model as .safetensors, in 16 bits "
            "or in eight (fp8).",
        )
    if path.suffix != SAFE:
        raise _refusal(source, f"{path} is neither a folder nor a {SAFE} file.")
    tensors = read_header(path, source)
    if any(mark in name for name in tensors for mark in ADAPTERS):
        raise _refusal(source, "these are adapters, not a model. Give the model that they were made for.")
    if others := others_of((name for name in tensors if not name.startswith(OTHER_PARTS)), layout.title):
        raise _refusal(source, f"this is a {others} model. This family holds {layout.title}.")
    return tensors


def usual_base(format: NetworkFormat, tensors: Mapping[str, Stored]) -> str:
    """The hub id of the pipeline that has what such a file does not."""
    return next(base for mark, base in format.bases.items() if any(name.endswith(mark) for name in tensors))


def lacking(layout: Layout, tensors: Mapping[str, Stored]) -> list[Part]:
    """The parts that the file does not hold."""
    prefixes = _format(layout).parts
    return [
        part
        for part in layout.parts[1:]
        if part.name not in prefixes or not any(name.startswith(prefixes[part.name]) for name in tensors)
    ]


class NetworkFile(Checkpoint):
    """`configs` is a pipeline's folder, which has the weights of what is not in the file, too."""

    def __init__(
        self, layout: Layout, source: str, path: Path, tensors: Mapping[str, Stored], base: PipelineFolder
    ) -> None:
        super().__init__(layout, source, base.configs)
        self.path = path
        self.tensors = tensors
        self.lacking = lacking(layout, tensors)
        self.base = base

    def check(self) -> None:
        super().check()
        known = {part.name for part in self.layout.parts}
        prefixes = {name: prefix for name, prefix in _format(self.layout).parts.items() if name not in known}
        if unread := [name for name, own in prefixes.items() if any(key.startswith(own) for key in self.tensors)]:
            raise self.refusal(
                f"it holds {', '.join(unread)}, which the pipeline in {self.configs} lacks. Set model.config to the "
                "folder or hub id of one that has all parts."
            )
        self._check_network(self._found)
        if self.lacking:
            try:
                self.base.weight_files_of(self.lacking)
            except UserError as error:
                names = ", ".join(part.name for part in self.lacking)
                remedy = f"the file holds no {names}. Set model.config to the folder or hub id of a pipeline that does"
                raise self.refusal(f"{remedy}: {error}") from error

    def weight_files(self) -> Mapping[str, Path]:
        beside = self.base.weight_files_of(self.lacking) if self.lacking else {}
        return {"weights": self.path, **beside}

    def mapped_type(self, part: str) -> torch.dtype | None:
        return self.base.mapped_type(part) if part in {own.name for own in self.lacking} else None

    def stored_type(self, part: str) -> torch.dtype:
        if part in {own.name for own in self.lacking}:
            return self.base.stored_type(part)
        denoiser = part == self.layout.denoiser.name
        prefix = self._found.prefix if denoiser else _format(self.layout).parts[part]
        stored = single_type(stored for name, stored in self.tensors.items() if name.startswith(prefix))
        return stored or torch.float32

    def read_parts(self, names: Collection[str], dtype: torch.dtype) -> dict[str, nn.Module]:
        elsewhere = [part.name for part in self.lacking if part.name in names]
        parts = self.base.read_parts(elsewhere, dtype) if elsewhere else {}
        denoiser = self.layout.denoiser
        for part in self.layout.parts:
            if part.name not in names or part.name in parts:
                continue
            try:
                parts[part.name] = self._denoiser(dtype) if part is denoiser else self._other(part, dtype)
            except UserError:
                raise
            except Exception as error:  # the libraries let their readers' errors through, of any type
                raise self.refusal(
                    f"its {part.name} does not fit the configurations in {self.configs} ({error}). "
                    "Set model.config to the folder or hub id of the model that it was made from."
                ) from error
        return {part.name: parts[part.name] for part in self.layout.parts if part.name in names}

    @cached_property
    def _found(self) -> Found:
        """The form in which most of the denoiser's weights are in the file."""
        config = self.config(self.layout.denoiser.config)
        ours = list(self._shapes)
        original = _format(self.layout).names.file(ours, config)
        library = [Joined(name, (name,)) for name in ours]
        forms = [Found(prefix, weights) for prefix in PREFIXES for weights in (original, library)]
        return max(forms, key=lambda form: sum(f"{form.prefix}{own.name}" in self.tensors for own in form.weights))

    @cached_property
    def _shapes(self) -> Mapping[str, torch.Size]:
        """Those of the denoiser's weights, by our names."""
        return {name: weight.shape for name, weight in self.outline(self.layout.denoiser).state_dict().items()}

    def _check_network(self, found: Found) -> None:
        wanted = {f"{found.prefix}{own.name}": own for own in found.weights}
        missing = [name for name in wanted if name not in self.tensors]
        if len(missing) == len(wanted):
            raise self.refusal(f"no weight of a {self.layout.title} denoiser is in it. Give another file.")
        problems = [*_some("weights are missing", missing), *self._misshapen(wanted)]
        problems += _some("weights belong to no layer", self._left_over(found, wanted))
        stored = {name: self.tensors[name].dtype for name in wanted if name in self.tensors}
        coarse = [f"{name} in {dtype}" for name, dtype in stored.items() if dtype not in READABLE]
        if coarse:
            [told] = _some("weights are quantised in a way that is not read", coarse)
            raise self.refusal(f"{told}. Give the same model in 16 bits, or in eight as floating point (fp8).")
        if problems:
            raise self.refusal(
                f"{'; '.join(problems)}. If it is whole, set model.config to the folder or hub id of the model that it "
                "was made from."
            )

    def _misshapen(self, wanted: Mapping[str, Joined]) -> list[str]:
        wrong = []
        for name, own in wanted.items():
            shapes = [self._shapes[part] for part in own.parts]
            here = (sum(shape[0] for shape in shapes), *shapes[0][1:]) if shapes[0] else ()
            here = (shapes[0].numel(),) if own.flat else here
            if name in self.tensors and self.tensors[name].shape != here:
                wrong.append(f"{name} {self.tensors[name].shape}, here {here}")
        return _some("weights have other shapes", wrong)

    def _left_over(self, found: Found, wanted: Mapping[str, Joined]) -> list[str]:
        names = _format(self.layout).names
        unused = {f"{found.prefix}{name}" for name in names.unused}
        others = [name for name in self.tensors if name not in wanted and name not in unused]
        return [name for name in others if not name.endswith(BESIDE) and not name.startswith(OTHER_PARTS)]

    def _denoiser(self, dtype: torch.dtype) -> nn.Module:
        stored: dict[str, Tensor] = {}
        with safe_open(self.path, framework="pt") as file:
            for own in self._found.weights:
                whole = self._read(file, f"{self._found.prefix}{own.name}", dtype)
                shapes = [self._shapes[part] for part in own.parts]
                if own.flat:
                    whole = whole.reshape(shapes[0])
                rows = [whole] if own.is_plain else split(whole, [shape[0] for shape in shapes], swapped=own.swapped)
                stored |= {part: weight.contiguous() for part, weight in zip(own.parts, rows, strict=True)}
        part = self.layout.denoiser
        network: nn.Module = part.type.from_single_file(
            stored, config=str(self.configs), subfolder=part.name, local_files_only=True, dtype=dtype
        )
        return network

    def _other(self, part: Part, dtype: torch.dtype) -> nn.Module:
        prefix = _format(self.layout).parts[part.name]
        names = [name for name in self.tensors if name.startswith(prefix)]
        with safe_open(self.path, framework="pt") as file:
            stored = {name: self._read(file, name, dtype) for name in names if not name.endswith(BESIDE)}
        if not issubclass(part.type, PreTrainedModel):
            network: nn.Module = part.type.from_single_file(
                stored, config=str(self.configs), subfolder=part.name, local_files_only=True, dtype=dtype
            )
            missing = [name for name, weight in network.state_dict().items() if weight.is_meta]
        else:
            self._add_projection(part, prefix, stored)
            network, report = part.type.from_pretrained(
                None,
                config=part.type.config_class.from_dict(self.config(part.config)),
                state_dict={name.removeprefix(prefix): weight for name, weight in stored.items()},
                dtype=dtype,
                output_loading_info=True,
            )
            missing = sorted(report["missing_keys"])
        if missing:
            raise self.refusal(f"{_some(f'weights of {part.name} are missing', missing)[0]}. Get the file again.")
        return network

    def _add_projection(self, part: Part, prefix: str, stored: dict[str, Tensor]) -> None:
        """That of CLIP's summary, which files leave out where it changes nothing."""
        shape = {name: weight.shape for name, weight in self.outline(part).state_dict().items()}.get(PROJECTION)
        if shape and shape[0] == shape[1] and f"{prefix}{PROJECTION}" not in stored:
            stored[f"{prefix}{PROJECTION}"] = torch.eye(shape[0])

    def _read(self, file: Any, name: str, dtype: torch.dtype) -> Tensor:
        """A weight, with the scale that it has beside it. Of less precision only where the network may have it."""
        weight: Tensor = file.get_tensor(name).float()
        layer = name.removesuffix(".weight")
        for own in SCALES:
            if name.endswith(".weight") and f"{layer}{own}" in self.tensors:
                scale = file.get_tensor(f"{layer}{own}").float()
                weight = weight * (scale.reshape(-1, *[1] * (weight.ndim - 1)) if scale.numel() > 1 else scale)
        return weight.to(dtype) if weight.ndim > 1 else weight


def write_network_file(file: Path, denoiser: Any, dtype: torch.dtype, *, layout: Layout) -> None:
    """The denoiser alone, by the original program's names. The file is written atomically."""
    if file.suffix != SAFE:
        raise UserError(str(Problem("out", str(file), "other programs want the name to end in .safetensors.")))
    ours = denoiser.state_dict()
    stored = {}
    for own in _format(layout).names.file(list(ours), denoiser.config):
        parts = [ours[part] for part in own.parts]
        whole = parts[0] if own.is_plain else join(parts, swapped=own.swapped, flat=own.flat)
        stored[own.name] = whole.to(dtype).contiguous()
    check_finite(stored, file)
    write_atomically(file, partial(save_file, stored, metadata={"format": "pt"}))


def _format(layout: Layout) -> NetworkFormat:
    assert layout.network is not None, "asked for by families with such files only"
    return layout.network


def _some(what: str, names: Sequence[str]) -> list[str]:
    """A sentence that counts them and names a few; none where there are none."""
    return [f"{len(names)} {what} ({', '.join(names[:3])}{' ...' if len(names) > 3 else ''})"] if names else []


def _refusal(source: str, remedy: str) -> UserError:
    return UserError(str(Problem("model.source", source, remedy)))
