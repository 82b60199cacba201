"""A checkpoint on disk, in any format."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from imprint.errors import Problem, UserError
from imprint.foreign_files import Unreadable, read_json
from imprint.hashing import fingerprint
from imprint.libraries.process import quiet_model_libraries, return_freed_memory
from imprint.models.checkpoint.config_limits import excess
from imprint.models.checkpoint.layout import PIPELINE_CONFIG, SCHEDULER_CONFIG, Layout, Part, TokenizerPart
from imprint.models.loading import cast, place, rounded_tensors, settle
from imprint.models.quantisation.base import Quantisation
from imprint.models.quantisation.network import quantise


class Checkpoint(ABC):
    """Configurations, tokenizers and scheduler are in the folder `configs`, in diffusers' layout.

    The constructor reads nothing; `check` must have passed before anything else is called. All faults of the files are
    raised as UserError.
    """

    def __init__(self, layout: Layout, source: str, configs: Path) -> None:
        self.layout = layout
        self.source = source
        self.configs = configs

    @abstractmethod
    def weight_files(self) -> Mapping[str, Path]:
        """The files with the weights, by names that do not depend on their location."""

    @abstractmethod
    def read_parts(self, names: Collection[str], dtype: torch.dtype) -> dict[str, nn.Module]:
        """The networks as the library reads them in this type, with its messages."""

    def read_together(self, names: Sequence[str]) -> Sequence[Sequence[str]]:
        """The parts that `read_parts` is to read in one go."""
        return [[name] for name in names]

    def mapped_type(self, part: str) -> torch.dtype | None:
        """The one in which a part is read without a copy, mapped from its files. None: there is a copy in any case."""
        return None

    def stored_type(self, part: str) -> torch.dtype:
        """One that a part can be read in without loss and, where that can be, without a copy."""
        return self.mapped_type(part) or torch.float32

    def stored_tensors(self, part: str, names: Collection[str]) -> Mapping[str, Tensor]:
        """Of a part, those of these tensors that its files hold by these names."""
        return {}

    def load(
        self,
        names: Collection[str] | None = None,
        *,
        dtypes: Mapping[str, torch.dtype] | None = None,
        device: torch.device | None = None,
        quantised: Mapping[str, Quantisation] | None = None,
    ) -> dict[str, nn.Module]:
        """The networks by the names of the layout: all of them, or these. Each has the weights that it would have if it
        were cast from float32 to its type of `dtypes`, and is on the `device` before the next one is read. Those to be
        `quantised` are, from what their files hold, before the rest of them is cast."""
        wanted = [part.name for part in self.layout.parts if names is None or part.name in names]
        final = {name: (dtypes or {}).get(name, torch.float32) for name in wanted}
        types = {name: self.mapped_type(name) or final[name] for name in wanted}
        types |= {name: self.stored_type(name) for name in wanted if name in (quantised or {})}
        found: dict[str, nn.Module] = {}
        with quiet_model_libraries():
            for dtype in dict.fromkeys(types.values()):
                for group in self.read_together([name for name in wanted if types[name] == dtype]):
                    parts = self.read_parts(group, dtype)
                    for name in group:
                        found[name] = self._as_cast(name, parts.pop(name), dtype)
                        if quantised and name in quantised:
                            quantise(found[name], quantised[name], device)
                            cast(found[name], final[name])
                            if device is not None:
                                place(found[name], device)
                        else:
                            settle(found[name], final[name], device)
                        return_freed_memory()
        return {name: found[name] for name in wanted}

    def _as_cast(self, name: str, part: nn.Module, dtype: torch.dtype) -> nn.Module:
        """`part`, read in this type, as if it had been read in float32 and then cast. A library casts buffers, too, and
        keeps some weights in float32."""
        if dtype == torch.float32:
            return part
        if rounded := rounded_tensors(part):
            stored = self.stored_tensors(name, rounded)
            if rounded - stored.keys():  # made by the library, with numbers of less precision
                part = self.read_parts([name], torch.float32)[name]
            else:
                for buffer, exact in stored.items():
                    owner, _, own = buffer.rpartition(".")
                    setattr(part.get_submodule(owner), own, exact.float())
        cast(part, dtype)
        if isinstance(part, PreTrainedModel):  # which notes the type, and all files are written in float32
            for config in (part.config, *(getattr(part.config, name) for name in part.config.sub_configs)):
                config.dtype = torch.float32
        return part

    @property
    def scheduler(self) -> dict[str, Any]:
        """The configuration of the scheduler."""
        return self.config(SCHEDULER_CONFIG)

    def check(self) -> None:
        """Raises all reasons why this is not a usable checkpoint of the family."""
        tokenizers = [own.name for own in self.layout.tokenizers.values()]
        if not (self.configs / PIPELINE_CONFIG).is_file():
            parts = ", ".join([*(part.name for part in self.layout.parts), *tokenizers])
            raise self.refusal(
                f"{self.configs} is no pipeline in diffusers' layout (no {PIPELINE_CONFIG}). Give the folder "
                f"that holds {parts} and scheduler, or a single .safetensors file."
            )
        self._check_classes()
        missing = [name for name in self.layout.configs if not (self.configs / name).is_file()]
        missing += [f"{folder}/" for folder in tokenizers if not self._tokenizer_files(folder)]
        if missing:
            raise self.refusal(f"{self.configs} lacks {', '.join(missing)}. Give a complete pipeline folder.")
        with self.using("*/config.json"):
            misfits = list(self._misfits())
        if misfits:
            raise self.refusal(*misfits)

    def config(self, name: str) -> dict[str, Any]:
        """The content of a JSON file of the configurations."""
        path = self.configs / name
        try:
            content = read_json(path)
        except Unreadable as error:
            raise self.refusal(f"{path} is not readable JSON ({error}). Get the file again.") from error
        if not isinstance(content, dict):
            raise self.refusal(f"{path} is no configuration. Get the file again.")
        if wrong := excess(content):
            raise self.refusal(f"{path} cannot be used: {wrong}. Get the file again.")
        return content

    @contextmanager
    def using(self, name: str) -> Iterator[None]:
        """While what is said in the files called `name` is put to use: whatever fails then, they are at fault."""
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # libraries let through what they run into, of any type
            reason = f"{type(error).__name__}: {error}"
            raise self.refusal(f"{self.configs / name} cannot be used ({reason}). Get the file again.") from error

    def setting(self, name: str) -> Any:
        """The value of one of the layout's settings, from the pipeline's configuration."""
        return self.config(PIPELINE_CONFIG).get(name, self.layout.settings[name])

    def tokenizers(self, *, shared: bool) -> dict[str, PreTrainedTokenizerBase]:
        """By vocabulary. New ones, to which words may be added; or, `shared`, cached ones, the same objects at every
        call while their files are unchanged, to which nothing must be added."""
        found = {}
        for name, own in self.layout.tokenizers.items():
            folder = self.configs / own.name
            try:
                if shared:
                    found[name] = _shared_tokenizer(own.type, folder, fingerprint(self._tokenizer_files(own.name)))
                else:
                    found[name] = _read_tokenizer(own.type, folder)
                if own.wrapped is not None:
                    own.wrapped(found[name], "")  # fails where its template is missing or of no use
            except Exception as error:  # the library lets its parsers' errors through, of any type
                raise self.refusal(f"the tokenizer in {folder} cannot be read ({error}).") from error
        return found

    def outline(self, part: Part) -> nn.Module:
        """The network without weights, on the device "meta"."""
        config = self.config(part.config)
        with self.using(part.config), quiet_model_libraries(), torch.device("meta"):
            if issubclass(part.type, PreTrainedModel):
                network: nn.Module = part.type(part.type.config_class.from_dict(config))
            else:
                network = part.type.from_config(config)
        return network

    def place(self, tokenizer: TokenizerPart) -> str:
        """Where the library's pipeline has it: a processor may be in its place, in which it is."""
        entry = self.config(PIPELINE_CONFIG).get(tokenizer.name)
        in_processor = bool(tokenizer.processor) and entry == ["transformers", tokenizer.processor]
        return f"{tokenizer.name}.tokenizer" if in_processor else tokenizer.name

    def files(self) -> dict[str, Path]:
        """All files that the model's output depends on, by names that do not depend on their location."""
        files = {name: self.configs / name for name in self.layout.configs}
        for own in self.layout.tokenizers.values():
            files |= self._tokenizer_files(own.name)
        return {**files, **self.weight_files()}

    def refusal(self, *remedies: str) -> UserError:
        return UserError("\n".join(str(Problem("model.source", self.source, remedy)) for remedy in remedies))

    def _check_classes(self) -> None:
        layout, index = self.layout, self.config(PIPELINE_CONFIG)
        if (pipeline := index.get("_class_name")) != layout.pipeline:
            raise self.refusal(f"{self.configs} holds a {pipeline}. This family needs a {layout.pipeline}.")
        for part in layout.parts:
            entry = index.get(part.name)
            found = entry[1] if isinstance(entry, list) and len(entry) == 2 else None
            if found is None:
                raise self.refusal(f"it has no {part.name}, which this family needs ({part.type.__name__}).")
            if found != part.type.__name__:
                raise self.refusal(f"its {part.name} is a {found}. This family needs a {part.type.__name__}.")

    def _tokenizer_files(self, folder: str) -> dict[str, Path]:
        return {f"{folder}/{path.name}": path for path in sorted((self.configs / folder).glob("*")) if path.is_file()}

    def _misfits(self) -> Iterator[str]:
        """Why the networks' configurations are those of another kind of model, if they are."""
        return self.layout.misfits({part.name: self.config(part.config) for part in self.layout.parts})


def _read_tokenizer(type_: Any, folder: Path) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = type_.from_pretrained(folder, local_files_only=True)
    return tokenizer


@lru_cache(maxsize=8)
def _shared_tokenizer(type_: Any, folder: Path, content: str) -> PreTrainedTokenizerBase:
    return _read_tokenizer(type_, folder)
