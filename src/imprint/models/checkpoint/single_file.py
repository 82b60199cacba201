"""A checkpoint as one file in the original layout, as community models are shared."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import diffusers  # lazily: each pipeline at its first use
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from imprint.errors import Problem, UserError
from imprint.files import write_atomically
from imprint.libraries.diffusers import kind_of_single_file
from imprint.models.checkpoint.base import Checkpoint
from imprint.models.checkpoint.layout import Layout, OriginalLayout, Part, Parts
from imprint.models.checkpoint.recognition import UPSCALER, others_of
from imprint.models.checkpoint.weights import PICKLE_RISK, Stored, read_header
from imprint.models.finite import check_finite
from imprint.models.process import Prediction

SAFE = ".safetensors"
PICKLED = (".ckpt", ".pt", ".pth", ".bin")
DENOISER = "model.diffusion_model."
FIRST_LAYER = f"{DENOISER}input_blocks.0.0.weight"
# Empty tensors, by the community's convention: of models that predict v, of those whose last timestep is all noise.
V_PREDICTION, ZERO_SNR = "v_pred", "ztsnr"
POSITIONS = "embeddings.position_embedding.weight"  # of a text encoder
INPAINTING_CHANNELS = 9
LOW_RES_CHANNELS = 3  # those of a low picture, beside the four of a latent
INPAINTING = "this is an inpainting model (9 input channels). Give the plain text-to-image model."


def read_tensors(layout: Layout, path: Path, source: str, *, allow_pickle: bool) -> Mapping[str, Stored]:
    """The names and shapes of the tensors in the file. Raises UserError when it is a pickle that is not
    allowed, or holds anything but a whole model of this family."""
    if path.suffix == SAFE:
        tensors = read_header(path, source)
    elif path.suffix in PICKLED:
        if not allow_pickle:
            raise _refusal(source, f"{PICKLE_RISK}.")
        tensors = _read_pickle(path, source)
    else:
        raise _refusal(source, f"{path} is neither a folder nor a {SAFE} or .ckpt file.")
    if wrong := _what_else(layout, tensors):
        raise _refusal(source, wrong)
    return tensors


def usual_configs(layout: Layout, tensors: Mapping[str, Stored]) -> str:
    """The hub id of the model that a file with these tensors descends from."""
    configs = _original(layout).usual_configs
    return configs.get(kind_of_single_file(tensors), next(iter(configs.values())))


class SingleFile(Checkpoint):
    def __init__(self, layout: Layout, source: str, path: Path, configs: Path, tensors: Mapping[str, Stored]) -> None:
        super().__init__(layout, source, configs)
        self.path = path
        self.tensors = tensors

    def weight_files(self) -> Mapping[str, Path]:
        return {"weights": self.path}

    @property
    def scheduler(self) -> dict[str, Any]:
        """With what the file states by marks."""
        marked: dict[str, Any] = {}
        if V_PREDICTION in self.tensors:
            marked["prediction_type"] = "v_prediction"
        if ZERO_SNR in self.tensors:
            marked["rescale_betas_zero_snr"] = True
        return {**super().scheduler, **marked}

    def read_together(self, names: Sequence[str]) -> Sequence[Sequence[str]]:
        return [names]  # since the library goes through the whole file each time

    def read_parts(self, names: Collection[str], dtype: torch.dtype) -> dict[str, nn.Module]:
        tokenizers = {self.layout.tokenizers[name].name: own for name, own in self.tokenizers(shared=False).items()}
        unasked = dict.fromkeys(part.name for part in self.layout.parts if part.name not in names)
        unprefixed = {part.name: self._unprefixed(part) for part in self._unprefixed_parts() if part.name in names}
        try:
            pipeline = getattr(diffusers, self.layout.pipeline).from_single_file(
                str(self.path),
                config=str(self.configs),
                local_files_only=True,
                dtype=dtype,
                **tokenizers,
                **unprefixed,
                **unasked,
                **dict.fromkeys(self.layout.absent),
            )
        except Exception as error:  # the libraries let their readers' errors through, of any type
            raise self.refusal(
                f"the file does not fit the configurations in {self.configs} ({error}). "
                "Set model.config to the folder or hub id of the model that it was made from."
            ) from error
        parts: dict[str, nn.Module] = {name: getattr(pipeline, name) for name in names}
        for part in parts.values():
            if lacking := [name for name, weight in part.state_dict().items() if weight.is_meta]:
                raise self.refusal(f"{len(lacking)} weights are missing ({lacking[0]} ...). Get the file again.")
        return parts

    def _unprefixed_parts(self) -> list[Part]:
        """Text encoders whose names lack what the library knows them by, as in models that descend from NovelAI's."""
        return [
            part
            for part in self.layout.parts
            if f"{_original(self.layout).openai.get(part.name)}{POSITIONS}" in self.tensors
        ]

    def _unprefixed(self, part: Part) -> nn.Module:
        prefix = _original(self.layout).openai[part.name]
        names = {name.removeprefix(prefix): name for name in self.tensors if name.startswith(prefix)}
        network: nn.Module = part.type(part.type.config_class.from_dict(self.config(part.config)))
        wanted = {name: names.get(name.removeprefix(part.stored_prefix)) for name in network.state_dict()}
        if lacking := [name for name, theirs in wanted.items() if theirs is None]:
            raise self.refusal(f"{len(lacking)} weights are missing ({lacking[0]} ...). Get the file again.")
        stored = _read(self.path, [theirs for theirs in wanted.values() if theirs])
        try:
            network.load_state_dict({name: stored[theirs].float() for name, theirs in wanted.items() if theirs})
        except RuntimeError as error:
            raise self.refusal(f"the file does not fit the configurations in {self.configs} ({error}).") from error
        return network


def write_single_file(
    file: Path, parts: Parts, dtype: torch.dtype, *, layout: Layout, prediction: Prediction, zero_snr: bool
) -> None:
    """Every weight in `dtype`. The file is written atomically."""
    if file.suffix != SAFE:
        raise UserError(str(Problem("out", str(file), "other programs want the name to end in .safetensors.")))
    tensors = {name: weight.to(dtype).contiguous() for name, weight in _original(layout).write(parts).items()}
    check_finite(tensors, file)
    if _original(layout).says_prediction:
        tensors |= {name: torch.zeros(0) for name in _marks(prediction, zero_snr)}
    write_atomically(file, lambda temporary: save_file(tensors, temporary, metadata={"format": "pt"}))


def _original(layout: Layout) -> OriginalLayout:
    assert layout.original is not None, "asked for by families with one-file formats only"
    return layout.original


def _marks(prediction: Prediction, zero_snr: bool) -> list[str]:
    return [*([V_PREDICTION] if prediction == "v_prediction" else []), *([ZERO_SNR] if zero_snr else [])]


def _read(path: Path, names: Collection[str]) -> dict[str, torch.Tensor]:
    """These tensors of a file that has been checked."""
    if path.suffix == SAFE:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in names}
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    tensors = content.get("state_dict", content)
    return {name: tensors[name] for name in names}


def _read_pickle(path: Path, source: str) -> Mapping[str, Stored]:
    try:
        content = torch.load(path, map_location="meta", weights_only=True)
        tensors = content.get("state_dict", content)
        return {
            name: Stored(tuple(tensor.shape)) for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor)
        }
    except Exception as error:  # a damaged or hostile pickle may raise errors of any type
        remedy = f"{path} holds more than weights, or is damaged. Get it as {SAFE}."
        raise _refusal(source, remedy) from error


def _what_else(layout: Layout, tensors: Mapping[str, Stored]) -> str | None:
    """What else the file is, if it is not a whole model of this family."""
    if any("lora" in name for name in tensors) and FIRST_LAYER not in tensors:
        return "this is a LoRA, not a model. Give the model that it was made for."
    kind = _kind(tensors)
    if kind is not None and kind != layout.title:
        return f"this is a {kind} model. This family holds {layout.title}."
    if others := others_of(tensors, layout.title):
        return f"this is a {others} model. This family holds {layout.title}."
    lacking = [
        f"{part} ({prefix}...)"
        for part, prefix in _original(layout).prefixes.items()
        if not any(name.startswith(prefix) for name in tensors)
    ]
    if lacking:
        return f"the file lacks {', '.join(lacking)} of the original {layout.title} layout. Give a full model."
    first = tensors.get(FIRST_LAYER)
    if first is not None and first.shape[1] == INPAINTING_CHANNELS:
        return INPAINTING
    return None


def _kind(tensors: Mapping[str, Stored]) -> str | None:
    """The title of the family whose text encoders have such names, or whose denoiser sees as much."""
    first = tensors.get(FIRST_LAYER)
    if first is not None and first.shape[1] == 4 + LOW_RES_CHANNELS:
        return UPSCALER
    if any(name.startswith("conditioner.embedders.1.") for name in tensors):
        return "Stable Diffusion XL"
    if any(name.startswith("conditioner.embedders.0.") for name in tensors):
        return "Stable Diffusion XL refiner"
    return "Stable Diffusion 1.x and 2.x" if any(name.startswith("cond_stage_model.") for name in tensors) else None


def _refusal(source: str, remedy: str) -> UserError:
    return UserError(str(Problem("model.source", source, remedy)))
