"""What a family's pipelines are made of: the table by which they are found, read, written and fingerprinted."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

AUTOENCODER = "autoencoder"
PIPELINE_CONFIG = "model_index.json"
SCHEDULER_CONFIG = "scheduler/scheduler_config.json"

Configs = Mapping[str, Mapping[str, Any]]  # part -> what its config.json says
Parts = Mapping[str, nn.Module]  # by the names of the table


class Part(NamedTuple):
    """A network of a pipeline: what the library calls it and its folder, what it is for, and its class.

    `stored_prefix` is before the names of all its weights and adapters in files, whether or not the library's class has
    it: transformers before version 5.6 had `text_model.` inside all CLIP models, and files still have it.
    """

    name: str
    role: str
    type: Any
    stored_prefix: str = ""

    @property
    def config(self) -> str:
        return f"{self.name}/config.json"


class TokenizerPart(NamedTuple):
    """A tokenizer of a pipeline: what the library calls it and its folder, the role of its text encoder, its class."""

    name: str
    role: str
    type: Any


class OriginalLayout(NamedTuple):
    """The form in which whole models are shared as one file.

    `write` names and shapes all weights as the original program does. `layer` is what it calls a layer of a denoiser
    with this configuration. `prefixes` are how the names of each of its parts
    begin, for messages. `usual_configs` are hub ids with the configurations of such files, by what the library takes
    them for. `says_prediction`: other programs look in such files for marks of what the network predicts.
    """

    write: Callable[[Parts], dict[str, Tensor]]
    layer: Callable[[str, Mapping[str, Any]], str]
    prefixes: Mapping[str, str]
    usual_configs: Mapping[str, str]
    says_prediction: bool


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A family's table.

    title          what people call the family
    pipeline       the library's class of its pipelines
    parts          its networks; the denoiser first
    tokenizers     by vocabulary, which files of learned words name where there are several
    absent         parts of the library's pipeline that are not used here
    settings       of the pipeline's own configuration, those that change what it draws; each with its usual value
    misfits        what makes configurations those of another kind of model
    kohya          how kohya's scripts begin the names of a role's layers, and whether they name the denoiser's as the
                   original program does (`original_in_kohya`)
    original       the one-file form
    multiple       what the library's pipeline wants both sides of a picture to be a multiple of
    """

    title: str
    pipeline: str
    parts: tuple[Part, ...]
    tokenizers: Mapping[str, TokenizerPart]
    absent: tuple[str, ...]
    settings: Mapping[str, Any]
    misfits: Callable[[Configs], Iterator[str]]
    kohya: Mapping[str, str]
    original_in_kohya: bool
    original: OriginalLayout
    multiple: int

    @property
    def roles(self) -> tuple[str, ...]:
        """Of the parts that a method may train."""
        return tuple(part.role for part in self.parts if part.role != AUTOENCODER)

    def part(self, role: str) -> Part:
        return next(part for part in self.parts if part.role == role)

    @property
    def configs(self) -> tuple[str, ...]:
        """The files that say what a checkpoint is."""
        return (*(part.config for part in self.parts), SCHEDULER_CONFIG)

    @property
    def config_patterns(self) -> tuple[str, ...]:
        """What is needed of a hub's repository besides weights."""
        return (PIPELINE_CONFIG, *self.configs, *(f"{own.name}/*" for own in self.tokenizers.values()))

    @property
    def denoiser(self) -> Part:
        return self.parts[0]

    def pixels_per_latent(self, autoencoder: Mapping[str, Any]) -> int:
        """On a side of a picture, by the autoencoder's configuration."""
        return int(2 ** (len(autoencoder["block_out_channels"]) - 1))

    def pixel_multiple(self, autoencoder: Mapping[str, Any]) -> int:
        """What both sides of a picture must be a multiple of, by the autoencoder's configuration."""
        return math.lcm(self.multiple, self.pixels_per_latent(autoencoder))
