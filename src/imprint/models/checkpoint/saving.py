"""Writing a model so that the library's own pipeline, and other programs, generate the same pictures with it."""

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import diffusers  # lazily: each pipeline at its first use
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from imprint.errors import Problem, UserError
from imprint.files import folder_atomically, write_atomically, write_json
from imprint.libraries.process import quiet_model_libraries
from imprint.models.checkpoint.base import Checkpoint
from imprint.models.checkpoint.layout import PIPELINE_CONFIG, Part, Parts, TokenizerPart, scheduler_config
from imprint.models.checkpoint.network_file import write_network_file
from imprint.models.checkpoint.single_file import write_single_file
from imprint.models.finite import check_finite
from imprint.models.process import NoiseProcess
from imprint.models.quantisation.layer import QuantisedLinear
from imprint.models.schedulers import AS_THE_CHECKPOINT, build_scheduler
from imprint.models.words import Vocabulary, state_without_words, write_words

PROCESSOR_FILES = ("processor_config.json", "preprocessor_config.json", "chat_template.json")  # beside a tokenizer's


@dataclass(frozen=True, kw_only=True)
class PipelineWriter:
    """Writes networks that were read from `checkpoint`, and may have been changed since. Adapters must be merged.

    `parts` are by the names of the layout. `process` is the noise that the denoiser was trained on.
    """

    checkpoint: Checkpoint
    parts: Parts
    vocabularies: Mapping[str, Vocabulary]
    process: NoiseProcess

    def write_folder(self, folder: Path) -> None:
        """A pipeline in the library's format, in float32."""
        self._write_folder(folder, torch.float32)

    def replace_folder(self, folder: Path, dtype: torch.dtype) -> None:
        """The same with all its networks in `dtype`, in place of a pipeline that was there."""
        if folder.exists() and any(folder.iterdir()) and not (folder / PIPELINE_CONFIG).is_file():
            raise UserError(str(Problem("out", str(folder), "something else is in this folder. Choose a new one.")))
        with folder_atomically(folder) as new:
            self._write_folder(new, dtype)

    def write_file(self, file: Path, dtype: torch.dtype) -> None:
        """One file in the original layout."""
        if words := list(dict.fromkeys(word for own in self.vocabularies.values() for word in own.words)):
            remedy = f"one file has no place for new words ({', '.join(words)}). Choose format=pipeline."
            raise UserError(str(Problem("format", "single_file", remedy)))
        layout = self.checkpoint.layout
        if layout.network is not None:
            self._check_network_alone()
            write_network_file(file, self._final(layout.denoiser), dtype, layout=layout)
            return
        write_single_file(
            file,
            {part.name: self._final(part) for part in layout.parts},
            dtype,
            layout=layout,
            prediction=self.process.prediction,
            zero_snr=self.process.has_zero_terminal_snr,
        )

    def _check_network_alone(self) -> None:
        """Raises UserError if a text encoder has changed, too."""
        layout = self.checkpoint.layout
        text = [part for part in layout.parts[1:] if part.role in layout.roles]
        if changed := [part.name for part in text if self._has_changed(part)]:
            remedy = (
                f"the file holds the denoiser alone, and {', '.join(changed)} was trained, too. Choose format=pipeline."
            )
            raise UserError(str(Problem("format", "single_file", remedy)))

    def _has_changed(self, part: Part) -> bool:
        before = self.checkpoint.load([part.name])[part.name].state_dict()
        return not all(_same(before[name], weight) for name, weight in _state(self.parts[part.name]).items())

    def _final(self, part: Part) -> nn.Module:
        """A network to be written, on the CPU in float32: every weight that was changed as it is now, the others as in
        the source, though in memory they may be of lower precision. Learned words are rows of the text encoders'
        tables.

        The precision is the same for all, since by default the library does not run a pipeline of several. Weights that
        need no cast are not copied: they must not be written to.
        """
        live = self.parts[part.name]
        state = _state(live)
        if any(map(_is_cast, state.values())):
            state = _restored(state, self.checkpoint.load([part.name])[part.name].state_dict())
        final = _without_weights(part, live)
        assert final.state_dict().keys() == state.keys(), "adapters have to be merged before a model is saved"
        final.load_state_dict({key: _written(weight) for key, weight in state.items()}, assign=True)
        if isinstance(final, PreTrainedModel):
            write_words(live, final)
        return final

    def _write_folder(self, folder: Path, dtype: torch.dtype) -> None:
        """One network after the other: beside the model, no more than one is in memory."""
        checkpoint, layout = self.checkpoint, self.checkpoint.layout
        tokenizers = {own.name: self.vocabularies[name].tokenizer for name, own in layout.tokenizers.items()}
        more = {name: checkpoint.config(scheduler_config(name)) for name in layout.more_schedulers}
        schedulers = {
            "scheduler": build_scheduler(checkpoint.scheduler, AS_THE_CHECKPOINT, self.process.prediction),
            **{name: build_scheduler(config, AS_THE_CHECKPOINT, "epsilon") for name, config in more.items()},
        }
        pipeline = getattr(diffusers, layout.pipeline)(
            **{part.name: _without_weights(part, self.parts[part.name]) for part in layout.parts},
            **tokenizers,
            **schedulers,
            **{name: checkpoint.setting(name) for name in layout.settings},
            **dict.fromkeys(layout.absent),
        )
        with quiet_model_libraries():
            pipeline.save_config(folder)
            for name, own in {**tokenizers, **schedulers}.items():
                own.save_pretrained(folder / name)
        for part in layout.parts:
            self._write_part(part, folder / part.name, dtype)
        known = checkpoint.tokenizers(shared=True)
        for name, own in layout.tokenizers.items():
            if self.vocabularies[name].tokenizer.get_vocab() == known[name].get_vocab():
                # the source's own files: other versions of the library would not know those that this one writes
                shutil.rmtree(folder / own.name)
                shutil.copytree(checkpoint.configs / own.name, folder / own.name)
            self._keep_processor(own, folder)

    def _keep_processor(self, own: TokenizerPart, folder: Path) -> None:
        """Leaves in a tokenizer's place the processor that the source has there, with its files."""
        if self.checkpoint.place(own) == own.name:
            return
        for file in PROCESSOR_FILES:
            source, written = self.checkpoint.configs / own.name / file, folder / own.name / file
            if source.is_file() and not written.exists():
                shutil.copyfile(source, written)
        index = folder / PIPELINE_CONFIG
        entry = {own.name: ["transformers", own.processor]}
        write_json(index, {**json.loads(index.read_text(encoding="utf-8")), **entry})

    def _write_part(self, part: Part, folder: Path, dtype: torch.dtype) -> None:
        network: Any = nn.Module.to(self._final(part), dtype)
        check_finite(network.state_dict(), folder, part.name)
        is_text_encoder = isinstance(network, PreTrainedModel)
        if not is_text_encoder:
            network.register_to_config(_name_or_path="")  # the path of the source is private
        with quiet_model_libraries():
            network.save_pretrained(folder)
        if is_text_encoder:
            _as_published(folder, part.stored_prefix)


def _without_weights(part: Part, live: Any) -> nn.Module:
    with quiet_model_libraries(), torch.device("meta"):
        if isinstance(live, PreTrainedModel):
            network: nn.Module = part.type(copy.deepcopy(live.config))
        else:
            network = part.type.from_config(live.config)
    return network


def _state(live: nn.Module) -> dict[str, Tensor]:
    """The weights without learned words. Those of quantised layers are absent: nothing has changed them."""
    layers = {name: layer for name, layer in live.named_modules() if isinstance(layer, QuantisedLinear)}
    packed = {f"{name}.{own}" for name, layer in layers.items() for own in layer.packed}
    plain = {name: weight for name, weight in state_without_words(live).items() if name not in packed}
    shapes = {f"{name}.weight": (layer.out_features, layer.in_features) for name, layer in layers.items()}
    return {**plain, **{name: torch.empty(shape, device="meta") for name, shape in shapes.items()}}


def _is_cast(weight: Tensor) -> bool:
    """Or absent: nothing has changed it."""
    return weight.is_meta or (weight.is_floating_point() and weight.dtype != torch.float32)


def _restored(state: Mapping[str, Tensor], before: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is not as it was `before`, and all else from there."""
    return {name: before[name] if _same(before[name], weight) else weight for name, weight in state.items()}


def _written(weight: Tensor) -> Tensor:
    return weight.to("cpu", torch.float32 if weight.is_floating_point() else weight.dtype).contiguous()


def _same(stored: Tensor, live: Tensor) -> bool:
    """Whether `live` is `stored`, perhaps cast to another precision."""
    return live.is_meta or torch.equal(stored.to(live.dtype), live.cpu())


def _as_published(folder: Path, prefix: str) -> None:
    """Makes a text encoder's files as those of published models: without the prefix that later versions leave out,
    transformers before 5.6, ComfyUI and others find no weight and continue with random ones. The type in its
    configuration is that of the other networks, which the library loads in float32 by default."""
    for file in folder.glob("*.safetensors"):
        stored = load_file(file)
        if not any(name.startswith(prefix) for name in stored):
            renamed = {f"{prefix}{name}": weight for name, weight in stored.items()}
            write_atomically(file, partial(save_file, renamed, metadata={"format": "pt"}))
    for index in folder.glob("*.safetensors.index.json"):
        content = json.loads(index.read_text(encoding="utf-8"))
        names = content["weight_map"]
        if not any(name.startswith(prefix) for name in names):
            write_json(index, {**content, "weight_map": {f"{prefix}{name}": file for name, file in names.items()}})
    config = folder / "config.json"
    write_json(config, {**json.loads(config.read_text(encoding="utf-8")), "dtype": "float32"})
