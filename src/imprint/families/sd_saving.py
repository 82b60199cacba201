"""Writing a Stable Diffusion model so that the library's own pipeline makes the same pictures from it."""

import copy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import diffusers  # which loads its pipelines when they are asked for
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextModel

from imprint.errors import Problem, UserError
from imprint.families.noise import AS_THE_CHECKPOINT, build_scheduler
from imprint.families.quiet import quiet
from imprint.families.sd_checkpoint import PIPELINE_CONFIG, SCHEDULER_CONFIG, Parts
from imprint.families.sd_words import state_without_words, write_words
from imprint.families.single_file import write_single_file
from imprint.files import folder_atomically

if TYPE_CHECKING:
    from imprint.families.sd import StableDiffusion


def final_parts(family: "StableDiffusion") -> Parts:
    """Networks to be written, on the CPU in float32: every weight that was changed as it is now, the others as in the
    source, though in memory they may be of lower precision. Learned words are rows of the text encoder's table.

    The precision is the same for all, since the library does not run a pipeline of several without being
    told. What needs no cast is no copy: the weights must not be written to.
    """
    live = Parts(family.unet, family.vae, family.text_encoder)
    states = [state_without_words(part) for part in live]
    if any(_is_cast(weight) for state in states for weight in state.values()):
        source = [part.state_dict() for part in family.checkpoint.load()]
        states = [_restored(state, before) for state, before in zip(states, source, strict=True)]
    final = _without_weights(live)
    for part, state in zip(final, states, strict=True):
        assert part.state_dict().keys() == state.keys(), "adapters have to be merged before a model is saved"
        part.load_state_dict({name: _written(weight) for name, weight in state.items()}, assign=True)
    write_words(live.text_encoder, final.text_encoder)
    return final


def _is_cast(weight: Tensor) -> bool:
    return weight.is_floating_point() and weight.dtype != torch.float32


def _restored(state: Mapping[str, Tensor], before: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is not as it was `before`, and all else from there."""
    return {name: before[name] if _same(before[name], weight) else weight for name, weight in state.items()}


def _written(weight: Tensor) -> Tensor:
    return weight.to("cpu", torch.float32 if weight.is_floating_point() else weight.dtype).contiguous()


def _without_weights(parts: Parts) -> Parts:
    with quiet(), torch.device("meta"):
        return Parts(
            UNet2DConditionModel.from_config(parts.unet.config),
            AutoencoderKL.from_config(parts.vae.config),
            CLIPTextModel(copy.deepcopy(parts.text_encoder.config)),
        )


def replace_pipeline(family: "StableDiffusion", folder: Path, dtype: torch.dtype) -> None:
    """Writes the model with all its networks in `dtype`, in place of a pipeline that was there."""
    if folder.exists() and any(folder.iterdir()) and not (folder / PIPELINE_CONFIG).is_file():
        raise UserError(str(Problem("out", str(folder), "something else is in this folder. Choose a new one.")))
    parts = final_parts(family)
    for part in parts:
        nn.Module.to(part, dtype)
    with folder_atomically(folder) as new:
        write_pipeline(family, parts, new)


def write_file(family: "StableDiffusion", file: Path, dtype: torch.dtype) -> None:
    """Writes the model in the original layout."""
    if family.words:
        remedy = f"one file has no place for new words ({', '.join(family.words)}). Choose format=pipeline."
        raise UserError(str(Problem("format", "single_file", remedy)))
    write_single_file(file, final_parts(family), dtype)


def write_pipeline(family: "StableDiffusion", parts: Parts, folder: Path) -> None:
    config, prediction = family.checkpoint.config(SCHEDULER_CONFIG), family.schedule.prediction
    pipeline = diffusers.StableDiffusionPipeline(
        **parts._asdict(),
        tokenizer=family.tokenizer,
        scheduler=build_scheduler(config, AS_THE_CHECKPOINT, prediction),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    for part in (parts.unet, parts.vae):
        part.register_to_config(_name_or_path="")  # where this machine had it is nobody's business
    with quiet():
        pipeline.save_pretrained(folder)
    if family.tokenizer.get_vocab() == family.checkpoint.common_tokenizer().get_vocab():
        # the source's own files: other versions of the library would not know those that this one writes
        shutil.rmtree(folder / "tokenizer")
        shutil.copytree(family.checkpoint.configs / "tokenizer", folder / "tokenizer")


def _same(stored: Tensor, live: Tensor) -> bool:
    """Whether `live` is `stored`, perhaps cast to another precision."""
    return torch.equal(stored.to(live.dtype), live.cpu())
