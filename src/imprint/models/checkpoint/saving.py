"""Writing a model so that the library's own pipeline, and other programs, make the same pictures from it."""

import copy
import json
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diffusers  # which loads its pipelines when they are asked for
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from imprint.errors import Problem, UserError
from imprint.files import folder_atomically, write_atomically, write_json
from imprint.models.checkpoint.layout import PIPELINE_CONFIG, Part
from imprint.models.checkpoint.quiet import quiet
from imprint.models.checkpoint.single_file import write_single_file
from imprint.models.schedulers import AS_THE_CHECKPOINT
from imprint.models.words import state_without_words, write_words

if TYPE_CHECKING:
    from imprint.models.pipeline import PipelineModel

OLD_PREFIX = "text_model."


def final_parts(model: "PipelineModel") -> dict[str, nn.Module]:
    """Networks to be written, on the CPU in float32: every weight that was changed as it is now, the others as in the
    source, though in memory they may be of lower precision. Learned words are rows of the text encoders' tables.

    The precision is the same for all, since the library does not run a pipeline of several without being
    told. What needs no cast is no copy: the weights must not be written to.
    """
    live = model.parts
    states = {name: state_without_words(part) for name, part in live.items()}
    if any(_is_cast(weight) for state in states.values() for weight in state.values()):
        source = model.checkpoint.load()
        states = {name: _restored(state, source[name].state_dict()) for name, state in states.items()}
    final = {part.name: _without_weights(part, live[part.name]) for part in model.layout.parts}
    for name, part in final.items():
        assert part.state_dict().keys() == states[name].keys(), "adapters have to be merged before a model is saved"
        part.load_state_dict({key: _written(weight) for key, weight in states[name].items()}, assign=True)
        if isinstance(part, PreTrainedModel):
            write_words(live[name], part)
    return final


def write_pipeline(model: "PipelineModel", parts: Mapping[str, nn.Module], folder: Path) -> None:
    layout = model.layout
    tokenizers = {layout.vocabularies[name].tokenizer: own.tokenizer for name, own in model.vocabularies.items()}
    pipeline = getattr(diffusers, layout.pipeline)(
        **parts,
        **tokenizers,
        scheduler=model.scheduler(AS_THE_CHECKPOINT),
        **{name: model.checkpoint.setting(name) for name in layout.settings},
        **dict.fromkeys(layout.absent),
    )
    for network in parts.values():
        if not isinstance(network, PreTrainedModel):
            network.register_to_config(_name_or_path="")  # type: ignore[operator]  # where it lay is nobody's business
    with quiet():
        pipeline.save_pretrained(folder)
    for part in layout.parts:
        if issubclass(part.type, PreTrainedModel):
            _as_older_readers_expect(folder / part.name)
    known = model.checkpoint.tokenizers(shared=True)
    for name, own in layout.vocabularies.items():
        if model.vocabularies[name].tokenizer.get_vocab() == known[name].get_vocab():
            # the source's own files: other versions of the library would not know those that this one writes
            shutil.rmtree(folder / own.tokenizer)
            shutil.copytree(model.checkpoint.configs / own.tokenizer, folder / own.tokenizer)


def replace_pipeline(model: "PipelineModel", folder: Path, dtype: torch.dtype) -> None:
    """Writes the model with all its networks in `dtype`, in place of a pipeline that was there."""
    if folder.exists() and any(folder.iterdir()) and not (folder / PIPELINE_CONFIG).is_file():
        raise UserError(str(Problem("out", str(folder), "something else is in this folder. Choose a new one.")))
    parts = final_parts(model)
    for part in parts.values():
        nn.Module.to(part, dtype)
    with folder_atomically(folder) as new:
        write_pipeline(model, parts, new)


def write_file(model: "PipelineModel", file: Path, dtype: torch.dtype) -> None:
    """Writes the model in the original layout."""
    if model.words:
        remedy = f"one file has no place for new words ({', '.join(model.words)}). Choose format=pipeline."
        raise UserError(str(Problem("format", "single_file", remedy)))
    process = model.process
    write_single_file(
        file,
        final_parts(model),
        dtype,
        layout=model.layout,
        prediction=process.prediction,
        zero_snr=process.has_zero_terminal_snr,
    )


def _without_weights(part: Part, live: Any) -> nn.Module:
    with quiet(), torch.device("meta"):
        if isinstance(live, PreTrainedModel):
            network: nn.Module = part.type(copy.deepcopy(live.config))
        else:
            network = part.type.from_config(live.config)
    return network


def _is_cast(weight: Tensor) -> bool:
    return weight.is_floating_point() and weight.dtype != torch.float32


def _restored(state: Mapping[str, Tensor], before: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is not as it was `before`, and all else from there."""
    return {name: before[name] if _same(before[name], weight) else weight for name, weight in state.items()}


def _written(weight: Tensor) -> Tensor:
    return weight.to("cpu", torch.float32 if weight.is_floating_point() else weight.dtype).contiguous()


def _same(stored: Tensor, live: Tensor) -> bool:
    """Whether `live` is `stored`, perhaps cast to another precision."""
    return torch.equal(stored.to(live.dtype), live.cpu())


def _as_older_readers_expect(folder: Path) -> None:
    """Text encoders as they are published: transformers before 5.6, ComfyUI and others find no weight without the
    prefix that later versions leave out, and go on with random ones. And their type is that of the networks beside
    them, which the library loads in float32 unless it is told otherwise."""
    for file in folder.glob("*.safetensors"):
        stored = load_file(file)
        if not any(name.startswith(OLD_PREFIX) for name in stored):
            renamed = {f"{OLD_PREFIX}{name}": weight for name, weight in stored.items()}
            write_atomically(file, partial(save_file, renamed, metadata={"format": "pt"}))
    for index in folder.glob("*.safetensors.index.json"):
        content = json.loads(index.read_text(encoding="utf-8"))
        names = content["weight_map"]
        if not any(name.startswith(OLD_PREFIX) for name in names):
            write_json(index, {**content, "weight_map": {f"{OLD_PREFIX}{name}": file for name, file in names.items()}})
    config = folder / "config.json"
    write_json(config, {**json.loads(config.read_text(encoding="utf-8")), "dtype": "float32"})
