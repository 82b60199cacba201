"""Writing a Stable Diffusion model so that the library's own pipeline makes the same pictures from it."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import diffusers  # which loads its pipelines when they are asked for
import torch
from torch import Tensor, nn

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
    """The networks on the CPU in float32: every weight that was changed as it is now, the others from the
    source, since in memory they may be of lower precision. Learned words are rows of the text encoder's table.

    The precision is the same for all, since the library does not run a pipeline of several without being
    told. What needs no cast is no copy: the weights must not be written to.
    """
    stored = family.checkpoint.load()
    live = Parts(family.unet, family.vae, family.text_encoder)
    vocabulary = live.text_encoder.get_input_embeddings().weight.shape[0]
    stored.text_encoder.resize_token_embeddings(vocabulary, mean_resizing=False)
    for old, new in zip(stored, live, strict=True):
        before, now = old.state_dict(), state_without_words(new)
        assert before.keys() == now.keys(), "adapters have to be merged before a model is saved"
        changed = {
            name: weight.to("cpu", before[name].dtype)
            for name, weight in now.items()
            if not _same(before[name], weight)
        }
        old.load_state_dict(changed, strict=False, assign=True)
    write_words(live.text_encoder, stored.text_encoder)
    return stored


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
    if family.tokenizer.get_vocab() == family.checkpoint.tokenizer().get_vocab():
        # the source's own files: other versions of the library would not know those that this one writes
        shutil.rmtree(folder / "tokenizer")
        shutil.copytree(family.checkpoint.configs / "tokenizer", folder / "tokenizer")


def _same(stored: Tensor, live: Tensor) -> bool:
    """Whether `live` is `stored`, perhaps cast to another precision."""
    return torch.equal(stored.to(live.dtype), live.cpu())
