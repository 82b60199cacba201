"""What a family's pipelines are made of: the table by which they are found, read, written and fingerprinted."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor, nn

from imprint.models.base import DENOISER

AUTOENCODER = "autoencoder"
PIPELINE_CONFIG = "model_index.json"
SCHEDULER_CONFIG = "scheduler/scheduler_config.json"

Configs = Mapping[str, Mapping[str, Any]]  # part -> what its config.json says
Parts = Mapping[str, nn.Module]  # by the names of the table


class Part(NamedTuple):
    """A network of a pipeline: what the library calls it and its folder, what it is for, and its class."""

    name: str
    role: str
    type: Any

    @property
    def config(self) -> str:
        return f"{self.name}/config.json"


class Vocabulary(NamedTuple):
    """A tokenizer's folder, the role of the text encoder that it is for, and its class."""

    tokenizer: str
    role: str
    type: Any


class OriginalLayout(NamedTuple):
    """The form in which whole models are shared as one file.

    `write` names and shapes all weights as the original program does. `prefixes` are how the names of each of its parts
    begin, for messages. `usual_configs` are hub ids with the configurations of such files, by what the library takes
    them for. `says_prediction`: other programs look in such files for marks of what the network predicts.
    """

    write: Callable[[Parts], dict[str, Tensor]]
    prefixes: Mapping[str, str]
    usual_configs: Mapping[str, str]
    says_prediction: bool


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A family's table.

    title          what people call the family
    pipeline       the library's class of its pipelines
    parts          its networks; the denoiser first
    vocabularies   by the names that files of learned words use where there are several
    absent         parts of the library's pipeline that are not used here
    settings       of the pipeline's own configuration, those that change what it draws; each with its usual value
    misfits        what makes configurations those of another kind of model
    kohya          how kohya's scripts begin the names of a role's layers, and whether they count the denoiser's as the
                   original program does (`original_in_kohya`)
    original       the one-file form
    """

    title: str
    pipeline: str
    parts: tuple[Part, ...]
    vocabularies: Mapping[str, Vocabulary]
    absent: tuple[str, ...]
    settings: Mapping[str, Any]
    misfits: Callable[[Configs], Iterator[str]]
    kohya: Mapping[str, str]
    original_in_kohya: bool
    original: OriginalLayout

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
        return (PIPELINE_CONFIG, *self.configs, *(f"{own.tokenizer}/*" for own in self.vocabularies.values()))

    @property
    def denoiser(self) -> Part:
        return self.part(DENOISER)


def latent_factor(vae_config: Mapping[str, Any]) -> int:
    """Pixels to a latent pixel."""
    return int(2 ** (len(vae_config["block_out_channels"]) - 1))


def pixel_multiple(vae_config: Mapping[str, Any]) -> int:
    """What a picture's sides must be multiples of. The library's pipelines insist on 8."""
    return max(8, latent_factor(vae_config))
