"""Internals of diffusers. Tested with diffusers 0.42.1."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import diffusers  # lazily: each class at its first use
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from diffusers import ChromaTransformer2DModel
    from torch.nn import Parameter
    from transformers import PreTrainedTokenizerBase


def schedulers() -> set[str]:
    """The names of the schedulers that can sample any Stable Diffusion. The only list of them is an enumeration for
    type hints."""
    from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers

    return set(KarrasDiffusionSchedulers.__members__)


def needed_packages(name: str) -> list[str]:
    """The packages that a class of the library needs, where one is not installed: the library then has a placeholder of
    this name, which holds them."""
    return list(getattr(getattr(diffusers, name), "_backends", ()))


def loads_words(pipeline: str) -> bool:
    """Whether the library's pipeline of this name has a loader of learned words, and writes out those of several
    vectors in prompts."""
    from diffusers.loaders import TextualInversionLoaderMixin

    return issubclass(getattr(diffusers, pipeline), TextualInversionLoaderMixin)


def with_all_vectors(prompt: str, tokenizer: "PreTrainedTokenizerBase") -> str:
    """The prompt, in which a word that was learned with several vectors is written as as many tokens, as the library's
    pipelines do before they encode it. It is a method of a mixin, which uses nothing of its object."""
    from diffusers.loaders import TextualInversionLoaderMixin

    converted: str = TextualInversionLoaderMixin().maybe_convert_prompt(prompt, tokenizer)
    return converted


def repeated_blocks(network: Any) -> list[nn.Module]:
    """What most of a network consists of, in order: blocks that are alike, each of which is computed anew as a whole
    for its gradients. Their classes are named for the library's compiler; where none is, they are the members of
    lists."""
    names = set(getattr(network, "_repeated_blocks", None) or ())
    if names:
        return [module for module in network.modules() if type(module).__name__ in names]
    lists = [child for child in network.children() if isinstance(child, nn.ModuleList)]
    return [block for members in lists for block in members]


def compute_anew(network: Any, *, every: int) -> None:
    """Lets a network compute the activations of every so-manyth block anew for their gradients."""
    if every == 1:
        network.enable_gradient_checkpointing()
    else:
        network.enable_gradient_checkpointing(_Anew(every))


def compute_anew_with_masks(transformer: "ChromaTransformer2DModel", *, every: int) -> None:
    """The same. By itself it would then hand its mask to the blocks of two streams alone."""
    transformer.enable_gradient_checkpointing(_WithMask(transformer, every))


class _Anew:
    """Calls a block, once now and, if it is its turn, once for its gradients."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._numbers: dict[nn.Module, int] = {}  # of blocks, in the order of the first pass

    def __call__(self, block: nn.Module, *arguments: Any) -> Any:
        if self._numbers.setdefault(block, len(self._numbers)) % self._every:
            return block(*arguments)
        return checkpoint(block, *arguments, use_reentrant=False)


class _WithMask(_Anew):
    def __init__(self, transformer: "ChromaTransformer2DModel", every: int) -> None:
        super().__init__(every)
        self._mask: Tensor | None = None  # of the pass
        transformer.register_forward_pre_hook(self._look, with_kwargs=True)

    def _look(self, transformer: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        self._mask = keywords.get("attention_mask")

    def __call__(self, block: nn.Module, *arguments: Any) -> Any:
        # a block whose weights devices share has a class of its own, derived from this one
        if any(kind.__name__ == "ChromaSingleTransformerBlock" for kind in type(block).__mro__):
            latents, times, places, *_ = arguments
            arguments = (latents, times, places, self._mask)
        return super().__call__(block, *arguments)


def kinds_of_blocks(network: nn.Module) -> set[str]:
    """The names of classes whose modules no device may have less than the whole of, when the library lays a network out
    on several, and of those that it compiles one by one. transformers has the first under the same name."""
    unsplit, repeated = getattr(network, "_no_split_modules", None), getattr(network, "_repeated_blocks", None)
    return {*(unsplit or ()), *(repeated or ())}


def kept_in_float32(network: Any) -> list["Parameter"]:
    """The weights of one of the library's networks that it loads in float32 whatever precision it is asked for."""
    from diffusers import ModelMixin

    kept = names_kept_in_float32(network) if isinstance(network, ModelMixin) else set()
    return [weight for name, weight in network.named_parameters() if not kept.isdisjoint(name.split("."))]


def names_kept_in_float32(network: Any) -> set[str]:
    """What a network's class says of its modules that are sensitive to precision. The attribute of this library's
    networks and of transformers' has the same name; there, weights are kept so in half precision alone."""
    return set(getattr(network, "_keep_in_fp32_modules", None) or ())


def kind_of_single_file(tensors: Mapping[str, Any]) -> str:
    """The kind of model that the library recognises in a file in the original layout, by its tensors' names and
    shapes."""
    from diffusers.loaders.single_file_utils import infer_diffusers_model_type

    return str(infer_diffusers_model_type(dict(tensors)))
