"""What diffusers does not promise to keep. Seen with diffusers 0.42.1."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import diffusers  # which loads its classes when they are asked for

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def schedulers() -> set[str]:
    """The names of the schedulers that any Stable Diffusion can be sampled with: an enumeration for type hints, which
    is the only list of them."""
    from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers

    return set(KarrasDiffusionSchedulers.__members__)


def needed_packages(name: str) -> list[str]:
    """The packages that a class of the library needs, where one is not installed: the library then has a placeholder of
    this name, which holds them."""
    return list(getattr(getattr(diffusers, name), "_backends", ()))


def with_all_vectors(prompt: str, tokenizer: "PreTrainedTokenizerBase") -> str:
    """The prompt, in which a word that was learned with several vectors is written as as many tokens, as the library's
    pipelines do before they encode it. It is a method of a mixin, which uses nothing of its object."""
    from diffusers.loaders import TextualInversionLoaderMixin

    converted: str = TextualInversionLoaderMixin().maybe_convert_prompt(prompt, tokenizer)
    return converted


def kind_of_single_file(tensors: Mapping[str, Any]) -> str:
    """What the library takes a file in the original layout for, by the names and shapes of its tensors."""
    from diffusers.loaders.single_file_utils import infer_diffusers_model_type

    return str(infer_diffusers_model_type(dict(tensors)))
