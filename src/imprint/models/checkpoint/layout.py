"""The parts of a family's pipelines: a table by which they are found, read, written and fingerprinted."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn

from imprint.models.checkpoint.original_names import OriginalNames
from imprint.models.latents import SCALED, Latents
from imprint.models.process import PREDICTIONS, Prediction

AUTOENCODER = "autoencoder"
PIPELINE_CONFIG = "model_index.json"
SCHEDULER_CONFIG = "scheduler/scheduler_config.json"


def scheduler_config(name: str) -> str:
    """The configuration file of a pipeline's scheduler of that name."""
    return f"{name}/scheduler_config.json"


Configs = Mapping[str, Mapping[str, Any]]  # the config.json of each part
Parts = Mapping[str, nn.Module]  # by the names of the table


class Part(NamedTuple):
    """A network of a pipeline: its name and folder in the library, its role, and its class.

    `stored_prefix` is before the names of all its weights and adapters in files, whether or not the library's class has
    it: transformers before version 5.6 had `text_model.` inside all CLIP models, and files still have it. `within` is
    the path of the module that has the role, where the network has others that no caption passes through, such as a
    language model's eyes: these never learn.
    """

    name: str
    role: str
    type: Any
    stored_prefix: str = ""
    within: str = ""

    @property
    def config(self) -> str:
        return f"{self.name}/config.json"

    def with_role(self, network: nn.Module) -> nn.Module:
        """What has the role: the network, or a module of it."""
        return network.get_submodule(self.within)


class TokenizerPart(NamedTuple):
    """A tokenizer of a pipeline: its name and folder in the library, the role of its text encoder, and its class.

    `wrapped` puts a caption into the text that its encoder is given, as a language model's chat; where that has all
    `special` tokens already, the tokenizer adds none. Where captions are not `padded` to the encoder's full length, a
    batch is as long as its longest one. `processor` is a class of the library that may be in the tokenizer's place in
    published pipelines: it has the tokenizer in it, and reads pictures, too, which no caption has.
    """

    name: str
    role: str
    type: Any
    wrapped: Callable[[Any, str], str] | None = None
    padded: bool = True
    special: bool = True
    processor: str = ""


class OriginalLayout(NamedTuple):
    """The format in which whole models are shared as one file.

    `write` names and shapes all weights as the original program does. `layer` is its name of a layer of a denoiser with
    this configuration. `prefixes` are those of the names of each part, for messages. `usual_configs` are hub ids with
    the configurations of such files, by the kind of model that the library recognises. `says_prediction`: other
    programs look in such files for marks of what the network predicts. `openai` are the prefixes of text encoders of
    OpenAI's, by the library's names of the parts: in some files their `stored_prefix` does not follow.
    """

    write: Callable[[Parts], dict[str, Tensor]]
    layer: Callable[[str, Mapping[str, Any]], str]
    prefixes: Mapping[str, str]
    usual_configs: Mapping[str, str]
    says_prediction: bool
    openai: Mapping[str, str] = {}


class NetworkFormat(NamedTuple):
    """The formats in which a denoiser is shared as one file, alone or with the other parts.

    `names` are the original program's. `bases` are hub ids of pipelines with what such a file does not hold, by a
    weight that only their denoisers have; the one of "" is for all others. `parts` are how the names of other parts
    begin in files that hold them, by the library's names of the parts.
    """

    names: OriginalNames
    bases: Mapping[str, str]
    parts: Mapping[str, str]


AdapterNames = Literal["stock", "kohya", "library", "original"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A family's table.

    title          name of the family in messages
    pipeline       the library's class of its pipelines
    parts          its networks; the denoiser first
    tokenizers     by vocabulary, which files of learned words name where there are several
    absent         parts of the library's pipeline that are not used here
    settings       of the pipeline's own configuration, those that change its pictures; each with its usual value
    misfits        why configurations are those of another kind of model, if they are
    kohya          how kohya's scripts begin the names of a role's layers, and whether they name the denoiser's as the
                   original program does (`original_in_kohya`); empty where such files are not written
    original       the format of a whole model in one file; None where it is not known here
    network        the formats of a denoiser in one file, where these are how the family is shared
    comfyui        how ComfyUI calls layers in files of adapters: "stock" as the library's own files do, "kohya" as
                   kohya's scripts do, or with `diffusion_model.` before the "library"'s or the "original" names
    multiple       the library's pipeline requires both sides of a picture to be multiples of this
    optional       how the names of a denoiser's weights begin that only some checkpoints have, and no adapter learns
    predictions    what its networks can be of: those of flows alone, for instance, know no other noise
    latents        those of the autoencoder
    patch          latent pixels on a side of what the denoiser's noise schedule counts as a token
    lower_case     texts are read in lower case, whatever the tokenizer knows
    dispensable    the text encoders that a checkpoint may lack, by their parts' names
    more_schedulers  those of the pipeline beside the one that draws, by their names in the library
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
    original: OriginalLayout | None
    multiple: int
    network: NetworkFormat | None = None
    comfyui: AdapterNames = "stock"
    optional: tuple[str, ...] = ()
    predictions: tuple[Prediction, ...] = PREDICTIONS
    latents: Latents = SCALED
    patch: int = 1
    lower_case: bool = False
    dispensable: tuple[str, ...] = ()
    more_schedulers: tuple[str, ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """Those of the parts that a method may train."""
        return tuple(part.role for part in self.parts if part.role != AUTOENCODER)

    def without(self, names: Collection[str]) -> "Layout":
        """That of a checkpoint that lacks these parts, and with them their tokenizers."""
        gone = [part for part in self.parts if part.name in names]
        roles = [part.role for part in gone]
        unread = [own.name for own in self.tokenizers.values() if own.role in roles]
        return replace(
            self,
            parts=tuple(part for part in self.parts if part not in gone),
            tokenizers={name: own for name, own in self.tokenizers.items() if own.role not in roles},
            absent=(*self.absent, *(part.name for part in gone), *unread),
        )

    def part(self, role: str) -> Part:
        return next(part for part in self.parts if part.role == role)

    @property
    def configs(self) -> tuple[str, ...]:
        """The configuration files of networks and scheduler."""
        more = (scheduler_config(name) for name in self.more_schedulers)
        return (*(part.config for part in self.parts), SCHEDULER_CONFIG, *more)

    @property
    def config_patterns(self) -> tuple[str, ...]:
        """The files of a hub's repository that are needed besides weights."""
        return (PIPELINE_CONFIG, *self.configs, *(f"{own.name}/*" for own in self.tokenizers.values()))

    @property
    def denoiser(self) -> Part:
        return self.parts[0]

    def latent_shape(self, autoencoder: Mapping[str, Any], height: int, width: int) -> tuple[int, int, int]:
        """(channels, rows, columns) of a picture's latent, by the autoencoder's configuration."""
        cell = self.latents.cell(autoencoder)
        return self.latents.channels(autoencoder), height // cell, width // cell

    def pixel_multiple(self, autoencoder: Mapping[str, Any]) -> int:
        """Both sides of a picture must be multiples of this, by the autoencoder's configuration."""
        return math.lcm(self.multiple, self.latents.cell(autoencoder))

    def pixel_bytes(self, autoencoder: Mapping[str, Any]) -> int:
        """A pixel's numbers in the autoencoder's first layer, in float32."""
        return 4 * self.latents.first_width(autoencoder)
